"""up, down, status and logs: the local cloud from outside."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from typing import TYPE_CHECKING, Annotated, Any

import psutil
import typer
from rich.table import Table

from odyssey_cli import cloud, paths
from odyssey_cli.console import err, out
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from odyssey_cli.commands.log_events import Source

_FOLLOW_EVERY = 1.0  # seconds

JsonOption = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(logs)


def up(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help=f"By default {cloud.USUAL_PORT}, if it is free."),
    ] = None,
    env: Annotated[
        bool, typer.Option("--env", help='Print what a shell evaluates: eval "$(odyssey up --env)"')
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start the local cloud, or find the one that runs; it stays until `down`."""
    running = _start(port)
    if env:
        for line in shell_lines(running, os.environ):
            typer.echo(line)
    elif as_json:
        typer.echo(json.dumps(_as_json(running)))
    else:
        out.print(f"local cloud on port {running.port}: {running.endpoint}")
        err.print('For other tools: eval "$(./odyssey up --env)"', style="dim")


def down() -> None:
    """End the local cloud, and those that `demo --keep` left, with all that they hold."""
    ended = cloud.stop(cloud.LOCAL_STATE)
    # What commands keep about a cloud is of no use without it.
    shutil.rmtree(cloud.LOCAL_STATE / "cdk.out", ignore_errors=True)
    for state in cloud.kept_states():
        ended = cloud.stop(state) or ended
        shutil.rmtree(state, ignore_errors=True)
    err.print("The local cloud has ended." if ended else "No local cloud was running.")


def status(as_json: JsonOption = False) -> None:
    """Say whether a local cloud runs, and what is deployed on it."""
    running = cloud.find_any()
    if running is None:
        if as_json:
            typer.echo(json.dumps({"running": False}))
        else:
            out.print("No local cloud is running. Start one with ./odyssey up.")
        return
    if not cloud.healthy(running, timeout=10):
        raise OdysseyError(
            f"The local cloud (pid {running.pid}) does not answer.",
            "End it with ./odyssey down and start it again with ./odyssey up.",
        )
    seen = _as_json(running) | _inside(running)
    if as_json:
        typer.echo(json.dumps(seen))
        return
    table = Table(show_header=False, title="local cloud", title_justify="left")
    table.add_row("endpoint", running.endpoint)
    table.add_row("up for", duration(seen["uptime_seconds"]))
    table.add_row("memory", f"{seen['memory_bytes'] / 2**20:.0f} MB, {seen['processes']} processes")
    table.add_row("functions", str(seen["functions"]))
    for stack in seen["stacks"]:
        table.add_row(stack["name"], stack["status"])
    if not seen["stacks"]:
        table.add_row("stacks", "none; ./odyssey deploy makes them")
    out.print(table)


def logs(
    function: Annotated[
        str | None, typer.Argument(help="A function's name or a part of it; all by default.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only the last 30s, 10m, 2h or 1d.")
    ] = None,
) -> None:
    """Show what functions on the local cloud logged, newest last."""
    from odyssey_cli.commands import log_events  # noqa: PLC0415 - needs nothing that others do

    running = cloud.find_any()
    if running is None:
        raise OdysseyError("No local cloud is running.", "Start one with ./odyssey up.")
    begun = log_events.milliseconds_since(since, time.time()) if since else 0
    target = at(running)
    client = target.client("logs")
    known = log_events.sources(target.client("lambda"), client)
    reader = log_events.Reader(client, chosen(function, known), begun)
    try:
        while True:
            for event in reader.new():
                out.print(log_events.line(event), soft_wrap=True)
            if not follow:
                break
            time.sleep(_FOLLOW_EVERY)
            if function is None:
                reader.sources = log_events.sources(target.client("lambda"), client)
    except KeyboardInterrupt:
        return


def chosen(name: str | None, known: list[Source]) -> list[Source]:
    """Return the sources whose name contains `name`, whatever its case.

    Raises:
        OdysseyError: There is none; says what there is.
    """
    if not known:
        raise OdysseyError(
            "There is no function on the local cloud.", "Deploy some with ./odyssey deploy."
        )
    if name is None:
        return known
    found = [source for source in known if source.matches(name)]
    if not found:
        labels = ", ".join(sorted({source.label for source in known}))
        raise OdysseyError(f"No function's name contains {name!r}.", f"There are: {labels}.")
    return found


def shell_lines(running: cloud.Cloud, environ: Mapping[str, str]) -> list[str]:
    """Return the lines that send the AWS clients of a POSIX shell to this cloud.

    Args:
        running: The cloud.
        environ: The shell's environment.
    """
    wanted = running.environment() | cloud.past_proxies(environ)
    unwanted = [name for name in running.without(environ) if name.isidentifier()]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in wanted.items()]
    return [f"unset {name}" for name in unwanted] + exports


def duration(seconds: float) -> str:
    """Return a length of time as people say it: "2 h 5 min", "12 s"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _start(port: int | None) -> cloud.Cloud:
    try:
        running = cloud.start(cloud.LOCAL_STATE, cloud.USUAL_PORT if port is None else port)
    except cloud.PortTakenError as error:
        if port is not None:
            raise
        who = error.holder or "another process"
        err.print(f"Port {cloud.USUAL_PORT} is taken by {who}; the local cloud takes a free one.")
        return cloud.start(cloud.LOCAL_STATE, 0)
    if port not in (None, running.port):
        raise OdysseyError(
            f"The local cloud already runs, on port {running.port}.",
            "Leave out --port to use it, or end it with ./odyssey down first.",
        )
    return running


def _as_json(running: cloud.Cloud) -> dict[str, Any]:
    return {
        "running": True,
        "port": running.port,
        "endpoint": running.endpoint,
        "pid": running.pid,
        "state": _shown(running.state),
    }


def _shown(state: Path) -> str:
    return str(state.relative_to(paths.ROOT) if state.is_relative_to(paths.ROOT) else state)


def _inside(running: cloud.Cloud) -> dict[str, Any]:
    target = at(running)
    stacks = target.client("cloudformation").get_paginator("describe_stacks").paginate()
    functions = target.client("lambda").get_paginator("list_functions").paginate()
    processes = cloud.processes(running.state)
    return {
        "uptime_seconds": round(time.time() - running.started_at),
        "memory_bytes": sum(_memory(process) for process in processes),
        "processes": len(processes),
        "functions": sum(len(page["Functions"]) for page in functions),
        "stacks": [
            {"name": stack["StackName"], "status": stack["StackStatus"]}
            for page in stacks
            for stack in page["Stacks"]
        ],
    }


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
