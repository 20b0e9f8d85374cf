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

from odyssey_cli import audit, cdk, kept_image, paths
from odyssey_cli import docs as pages
from odyssey_cli.console import err, out
from odyssey_cli.diagram import mermaid
from odyssey_cli.errors import OdysseyError
from odyssey_cli.hosts_left import hosts_left, said_of
from odyssey_cli.public_address import public_address
from odyssey_cli.target import Target, TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ContextOption = Annotated[
    list[str] | None,
    typer.Option("--context", "-c", metavar="NAME=VALUE", help="A setting, as cdk -c takes it."),
]
MyIpOption = Annotated[
    bool,
    typer.Option("--my-ip", help="Allow SSH from the public address of this machine: -c ssh_cidr."),
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
    my_ip: MyIpOption = False,
    target: TargetOption = "local",
    yes: YesOption = False,
) -> None:
    """Deploy stacks and those they need; all of them when none is named."""
    settings = settings_of(context)
    has_hosts = not stacks or kept_image.STACK in stacks
    if my_ip:
        settings = _with_my_ip(settings, has_hosts=has_hosts)
    to = resolve(target, yes=yes)
    with steps() as step:
        step("synthesizing")
        if has_hosts:
            kept_image.remember(to)
        assembly = cdk.synthesize(to, context=settings, validate=to.local is None)
        names = known(stacks, cdk.stacks(assembly))
        for note in cdk.notes(assembly, names or cdk.stacks(assembly)):
            err.print(Text(note))
        if to.local is not None:
            step("bootstrapping")
            cdk.bootstrap(to)
            audit.record_before(to)
        step("deploying")
        try:
            cdk.deploy(to, assembly, names, progress=step)
        finally:
            # Also when another stack has failed after the one with hosts.
            if has_hosts:
                kept_image.remember(to)
    if has_hosts:
        for host in hosts_left(to):
            err.print(Text(said_of(host, to), style="yellow"))
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
        cdk.destroy(to, assembly, known(stacks, cdk.stacks(assembly)), progress=step)
        if not stacks or kept_image.STACK in stacks:
            kept_image.remember(to)
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
    assembly = cdk.synthesize(nowhere(), context=settings_of(context))
    [name] = known([stack], cdk.stacks(assembly))
    typer.echo(mermaid(assembly / f"{name}.template.json"))


def docs() -> None:
    """Bring the generated parts of the README and the docs up to date."""
    for page in pages.render(cdk.synthesize(nowhere())):
        err.print(f"wrote {page.relative_to(paths.ROOT)}")


def nowhere() -> Target:
    """Return a target for what is only read from templates: no cloud is asked for anything."""
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


def settings_of(context: list[str] | None) -> dict[str, str]:
    """Return the settings that a command was given as NAME=VALUE."""
    pairs = [each.partition("=") for each in context or []]
    for name, separator, _ in pairs:
        if not name or not separator:
            raise OdysseyError(
                f"--context {name!r} is not NAME=VALUE.", "Write it as -c stage=dev."
            )
    return {name: value for name, _, value in pairs}


def _with_my_ip(settings: dict[str, str], *, has_hosts: bool) -> dict[str, str]:
    if not has_hosts:
        raise OdysseyError(
            "--my-ip is for the stack Network, which is not among these.", "Name it, too."
        )
    if "ssh_cidr" in settings:
        raise OdysseyError("--my-ip and -c ssh_cidr both say who may.", "Leave one of them out.")
    return settings | {"ssh_cidr": f"{public_address()}/32"}


def known(wanted: list[str] | None, present: list[str]) -> list[str]:
    """Return the stacks that a command was given; one that is not present is an error."""
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
