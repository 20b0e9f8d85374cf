"""What a dashboard shows, and what functions emit."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from odyssey_cli import paths
from tests.template.synth import only, target

if TYPE_CHECKING:
    from tests.template.synth import Template


def body(template: Template) -> str:
    """Return the text of the stack's one dashboard."""
    return target(only(template, "AWS::CloudWatch::Dashboard")["DashboardBody"])


def counts_shown(template: Template, stack: str) -> set[str]:
    """Return the names of the functions' own metrics that the stack's dashboard shows."""
    return set(re.findall(rf'"AwsOdyssey","(\w+)","service","{stack}"', body(template)))


def texts(*packages: str) -> set[Any]:
    """Return all constants in the sources of functions, among them the names of their metrics."""
    return {
        node.value
        for package in packages
        for path in (paths.ROOT / "lambda_src" / package).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    }
