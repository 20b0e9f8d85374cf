"""Tries every API that is described, on a local cloud."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from odyssey_cli import cdk, cloud
from odyssey_cli import figures as shapes
from odyssey_cli import target as targets
from odyssey_cli.errors import OdysseyError
from odyssey_cli.fuzz import described, sending
from odyssey_cli.fuzz.clients import client_of
from odyssey_cli.openapi.document import APIS, document
from odyssey_cli.openapi.routes import routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from odyssey_cli.fuzz.report import Report
    from odyssey_cli.openapi.parts import Schema
    from odyssey_cli.target import Target


@dataclass(frozen=True)
class Tried:
    """What came of one API: of the hostile requests, and of those made from its description."""

    stack: str
    hostile: Report
    described: Report

    @property
    def reports(self) -> dict[str, Report]:
        """Both, by their names."""
        return {"hostile": self.hostile, "described": self.described}

    @property
    def ok(self) -> bool:
        """Whether neither found anything."""
        return self.hostile.ok and self.described.ok


def figures(tried: Sequence[Tried]) -> dict[str, Any]:
    """Return the figures of all; a case is a request."""
    reports = [report for each in tried for report in each.reports.values()]
    return shapes.figures(
        tried=sum(report.cases for report in reports),
        passed=sum(report.passed for report in reports),
        seconds=sum(report.seconds for report in reports),
    )


def fuzz(
    stacks: Sequence[str], *, examples: int, seed: int, step: Callable[[str], None]
) -> list[Tried]:
    """Try the APIs of stacks, on the local cloud that is running or one of our own.

    Args:
        stacks: names of those with an API; all of them if empty.
        examples: how many random requests each operation gets.
        seed: that they are made from.
        step: told what is going on.

    Raises:
        OdysseyError: one of the stacks has no API, or cannot be deployed.
    """
    for name in stacks:
        if name not in APIS:
            raise OdysseyError(
                f"{name} has no API.", f"Those that have one are {', '.join(sorted(APIS))}."
            )
    names = list(dict.fromkeys(stacks or APIS))
    with _target() as target:
        assembly = _deployed(target, names, step)
        return [
            attempt(
                name, document_of(name, assembly), target, examples=examples, seed=seed, step=step
            )
            for name in names
        ]


def attempt(
    stack: str,
    made: Schema,
    target: Target,
    *,
    examples: int,
    seed: int,
    texts: bool = True,
    step: Callable[[str], None] = lambda _: None,
) -> Tried:
    """Try the API of one stack that is deployed.

    Args:
        stack: its name.
        made: the API's document.
        target: where it is.
        examples: how many random requests each operation gets.
        seed: that they are made from.
        texts: see `hostile.corpus`.
        step: told what is going on.
    """
    # A session of its own: clients may not be made on one from two threads.
    target = replace(target)
    with client_of(stack, target) as client:
        hostile = sending.fuzz(stack, made, client, target, texts=texts, step=step)
        random = described.fuzz(stack, made, client, examples=examples, seed=seed, step=step)
    for report in (hostile, random):
        report.described = operations(made)
    return Tried(stack, hostile, random)


def operations(made: Schema) -> frozenset[str]:
    """Return the operations of a document, as a report names them: `GET /words/{word}`."""
    return frozenset(
        f"{method.upper()} {path}" for path, methods in made["paths"].items() for method in methods
    )


def document_of(stack: str, assembly: Path) -> Schema:
    """Return the OpenAPI document of a stack in an assembly."""
    file = assembly / f"{stack}.template.json"
    return document(stack, routes(json.loads(file.read_text(encoding="utf-8"))))


@contextlib.contextmanager
def _target() -> Iterator[Target]:
    running = cloud.find_any()
    if running is not None:
        yield targets.at(running)
        return
    from odyssey_cli.demo import runner  # noqa: PLC0415 - imports every flow

    with runner.own_cloud() as target:
        yield target


def _deployed(target: Target, names: Sequence[str], step: Callable[[str], None]) -> Path:
    """Return the assembly of what is deployed, after deploying what is missing."""
    step("synthesizing")
    assembly = cdk.synthesize(target)
    missing = [name for name in names if not _is_deployed(name, target)]
    if missing:
        step("bootstrapping")
        cdk.bootstrap(target)
        step("deploying")
        cdk.deploy(target, assembly, missing)
    return assembly


def _is_deployed(stack: str, target: Target) -> bool:
    try:
        target.outputs(stack)
    except OdysseyError:
        return False
    return True
