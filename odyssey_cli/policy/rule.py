"""What a rule is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from odyssey_cli.policy.templates import Template


@dataclass(frozen=True)
class Fault:
    """Something that a template should not have, or lacks.

    Attributes:
        at: the resource's logical id, "" for the stack as a whole.
        problem: one sentence on what is wrong.
        remedy: one sentence on what would be right.
    """

    at: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Rule:
    """A demand on every template.

    Attributes:
        name: what it is called.
        demands: what the contracts say, in one sentence.
        check: finds where a template does not do so.
    """

    name: str
    demands: str
    check: Callable[[Template], Iterable[Fault]]


@dataclass(frozen=True)
class Finding:
    """A fault of one stack's, under one rule."""

    rule: str
    stack: str
    fault: Fault
