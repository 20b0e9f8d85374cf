"""deploy, destroy and outputs: the real CDK, on the local cloud or on AWS."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from odyssey_cli import cdk, paths
from odyssey_cli import docs as pages
from odyssey_cli.console import err, out
from odyssey_cli.diagram import mermaid
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import Target, TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ContextOption = Annotated[
    list[str] | None,
    typer.Option("--context", "-c", metavar="NAME=VALUE", help="A setting, as cdk -c takes it."),
]
StacksArgument = Annotated[list[str] | None, typer.Argument(metavar="[STACK]...")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(deploy)
    app.command()(destroy)
    app.command()(outputs)
    app.command()(diagram)
    app.command(hidden=True)(docs)


def deploy(
    stacks: StacksArgument = None,
    context: ContextOption = None,
    target: TargetOption = "local",
    yes: YesOption = False,
) -> None:
    """Deploy stacks and those they need; all of them when none is named."""
    to = resolve(target, yes=yes)
    with steps() as step:
        step("synthesizing")
        assembly = cdk.synthesize(to, context=_settings(context), validate=to.local is None)
        names = _known(stacks, cdk.stacks(assembly))
        if to.local is not None:
            step("bootstrapping")
            cdk.bootstrap(to)
        step("deploying")
        cdk.deploy(to, assembly, names, progress=step)
    for name in names or cdk.stacks(assembly):
        _print_outputs(name, to.outputs(name))


def destroy(
    stacks: StacksArgument = None, target: TargetOption = "local", yes: YesOption = False
) -> None:
    """Destroy stacks and those that need them; all of them when none is named."""
    to = resolve(target, yes=yes)
    with steps() as step:
        assembly = to.state / "cdk.out"
        if not (assembly / "manifest.json").exists():
            step("synthesizing")
            assembly = cdk.synthesize(to)
        step("destroying")
        cdk.destroy(to, assembly, _known(stacks, cdk.stacks(assembly)), progress=step)
    err.print("destroyed")


def outputs(
    stack: Annotated[str, typer.Argument()],
    name: Annotated[str | None, typer.Argument(help="Print this one's bare value.")] = None,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show what a deployed stack tells: addresses, names, ARNs."""
    found = resolve(target, yes=yes).outputs(stack)
    if name is not None:
        if name not in found:
            raise OdysseyError(
                f"{stack} has no output {name!r}.", f"It has {', '.join(sorted(found))}."
            )
        typer.echo(found[name])
    elif as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _print_outputs(stack, found)


def diagram(stack: Annotated[str, typer.Argument()], context: ContextOption = None) -> None:
    """Print a stack's diagram, drawn from its template, as Mermaid text."""
    assembly = cdk.synthesize(_nowhere(), context=_settings(context))
    [name] = _known([stack], cdk.stacks(assembly))
    typer.echo(mermaid(assembly / f"{name}.template.json"))


def docs() -> None:
    """Bring the generated parts of the README and the docs up to date."""
    for page in pages.render(cdk.synthesize(_nowhere())):
        err.print(f"wrote {page.relative_to(paths.ROOT)}")


def _nowhere() -> Target:
    return Target(dict(os.environ), paths.STATE / "docs", None)


@contextlib.contextmanager
def steps() -> Iterator[Callable[..., None]]:
    """Show what is going on; yields `step(what)` and `step(what, done, all)`."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )
    task = bar.add_task("", total=None)
    shown = ""

    def step(what: str, done: int = 0, total: int | None = None) -> None:
        nonlocal shown
        bar.update(task, description=what, completed=done, total=total)
        if what != shown and not err.is_terminal:
            err.print(what)
        shown = what

    with bar:
        yield step


def _settings(context: list[str] | None) -> dict[str, str]:
    pairs = [each.partition("=") for each in context or []]
    for name, separator, _ in pairs:
        if not name or not separator:
            raise OdysseyError(
                f"--context {name!r} is not NAME=VALUE.", "Write it as -c stage=dev."
            )
    return {name: value for name, _, value in pairs}


def _known(wanted: list[str] | None, present: list[str]) -> list[str]:
    for name in wanted or []:
        if name not in present:
            close = difflib.get_close_matches(name, present, n=1)
            raise OdysseyError(
                f"There is no stack {name!r}.",
                f"Did you mean {close[0]}?" if close else f"There are {', '.join(present)}.",
            )
    return list(wanted or [])


def _print_outputs(stack: str, found: dict[str, str]) -> None:
    table = Table(title=stack, show_header=False, title_justify="left")
    for name, value in found.items():
        table.add_row(name, Text(value, overflow="fold"))
    out.print(table)
