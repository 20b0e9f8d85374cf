"""openapi: what a stack's API takes and answers."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer
import yaml

from odyssey_cli import cdk, paths
from odyssey_cli.commands.stacks import known
from odyssey_cli.target import Target


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(openapi)


def openapi(
    stack: Annotated[str, typer.Argument(help="A stack with an API.")],
    as_yaml: Annotated[
        bool, typer.Option("--yaml/--json", help="YAML, which reads better, or JSON.")
    ] = False,
) -> None:
    """Print what a stack's API takes and answers, as OpenAPI 3.1: made from its template."""
    from odyssey_cli.openapi.document import document  # noqa: PLC0415
    from odyssey_cli.openapi.routes import routes  # noqa: PLC0415

    made = document(stack, routes(_template(stack)))
    text = json.dumps(made, indent=2, ensure_ascii=False)
    typer.echo(yaml.safe_dump(json.loads(text), sort_keys=False) if as_yaml else text)


def _template(stack: str) -> dict[str, Any]:
    """Synthesize, and return a stack's template.

    Raises:
        OdysseyError: there is no such stack.
    """
    assembly = cdk.synthesize(Target(dict(os.environ), paths.STATE / "openapi", None))
    [name] = known([stack], cdk.stacks(assembly))
    template: dict[str, Any] = json.loads(
        (assembly / f"{name}.template.json").read_text(encoding="utf-8")
    )
    return template
