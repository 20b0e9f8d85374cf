"""The network's commands: describe, reach, key, ssh, session."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path  # noqa: TC003 - Typer reads it
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from rich.text import Text

from odyssey_cli.commands.failures import JsonOption  # noqa: TC001 - Typer reads it
from odyssey_cli.console import err, out, plain
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.network import STACK
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from odyssey_cli.flows.network import ssh as command_lines
    from odyssey_cli.flows.network.topology import Host, Network
    from odyssey_cli.target import Target

group = typer.Typer(help="The network: who reaches whom, and onto its hosts.", no_args_is_help=True)
_SSH = 22
_HTTPS = 443
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_OUTPUTS = {"public": "HostId", "private": "PrivateHostId"}
_PLACES = (
    "internet, public or private (the host there), an instance's id, or an IPv4 address in or "
    "out of the VPC"
)

HostOption = Annotated[Literal["public", "private"], typer.Option("--host", help="Which host.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="network")


@group.command()
def describe(
    target: TargetOption = "local", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Show what is deployed: a tree of zones and subnets, and tables of addresses and rules."""
    from odyssey_cli.commands import network_view  # noqa: PLC0415 - only what draws needs it

    network = _read(resolve(target, yes=yes))[1]
    if as_json:
        typer.echo(json.dumps(network_view.described(network), ensure_ascii=False))
        return
    out.print(network_view.tree(network))
    for table in network_view.tables(network):
        out.print()
        out.print(table)


@group.command()
def reach(
    source: Annotated[str, typer.Option("--from", metavar="PLACE", help=f"{_PLACES}.")],
    destination: Annotated[
        str, typer.Option("--to", metavar="PLACE", help=f"{_PLACES}; s3 or dynamodb.")
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help="The destination's port.")],
    protocol: Annotated[Literal["tcp", "udp"], typer.Option(help="What the packet is.")] = "tcp",
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether a packet gets through, and which route, rule or ACL entry decides.

    Exits with 0 when it and its answer do, and with 1 when not.

    It reads what is deployed and sends nothing. Not looked at are: whether a
    process listens, the host's own firewall, DNS, policies, IPv6. AWS's own
    tools know more: Reachability Analyzer (0.10 USD an analysis: "Amazon VPC
    pricing"), and Network Access Analyzer, which finds ways that nobody wants.
    """
    from odyssey_cli.commands import network_view  # noqa: PLC0415 - see describe
    from odyssey_cli.flows.network.reach import reach as ask  # noqa: PLC0415

    outputs, network = _read(resolve(target, yes=yes))
    try:
        found = ask(
            network,
            _named(source, outputs, network),
            _named(destination, outputs, network),
            port,
            protocol,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        typer.echo(json.dumps(network_view.verdict(found), ensure_ascii=False))
    else:
        out.print(network_view.hops(found))
        for line in network_view.answer(found):
            out.print(line)
    raise typer.Exit(0 if found.gets_through else 1)


@group.command()
def key(
    file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to; .odyssey/keys by default."),
    ] = None,
    target: TargetOption = "local",
    yes: YesOption = False,
) -> None:
    """Fetch the hosts' private key into a file that only you can read; overwrite nothing."""
    from odyssey_cli.flows.network import keys  # noqa: PLC0415 - see odyssey_cli.target

    to = resolve(target, yes=yes)
    outputs = to.outputs(STACK)
    saved = keys.save(to, outputs, file or keys.default_file(outputs))
    out.print(Text(plain(str(saved.file))), soft_wrap=True)
    out.print(Text(plain(f"SHA256:{saved.fingerprint.rstrip('=')}")), soft_wrap=True)
    was = "Saved" if saved.is_new else "It is there already"
    err.print(f"{was}; the fingerprint is that of the key pair {outputs['KeyPairId']}.")


@group.command()
def ssh(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="What to run there, instead of a shell."),
    ] = None,
    host: HostOption = "public",
    only_print: Annotated[
        bool, typer.Option("--print", help="Only print the command line.")
    ] = False,
    target: TargetOption = "local",
    yes: YesOption = False,
) -> None:
    """Log in to a host by SSH, or run a command there; its exit code is the command's.

    A COMMAND of one word is a line for the host's shell; of several words each
    arrives as it is. The private host is reached through the Instance Connect
    Endpoint if there is one, else through the public host.
    """
    from odyssey_cli.flows.network import keys  # noqa: PLC0415 - see odyssey_cli.target
    from odyssey_cli.flows.network import ssh as command_lines  # noqa: PLC0415

    to = resolve(target, yes=yes)
    outputs, network = _read(to)
    file = keys.default_file(outputs)
    pair = command_lines.Key(file, file.parent / "known_hosts")
    by_endpoint = host == "private" and "ConnectEndpointId" in outputs
    proxy = ""
    if by_endpoint:
        proxy = command_lines.through_endpoint(outputs["PrivateHostId"], to.aws_options)
    elif host == "private":
        jump = _login(to, _host(to, outputs, network, "public"), is_public=True)
        proxy = command_lines.through_host(pair, jump)
    there = _login(to, _host(to, outputs, network, host), is_public=host == "public")
    line = command_lines.command(pair, there, words or [], proxy=proxy)
    if only_print:
        typer.echo(shlex.join(line))
        return
    if to.local is not None:
        typer.echo(shlex.join(line))
        raise _no_machine(there.address)
    _check_open(to, outputs, network, host, by_endpoint=by_endpoint)
    _need("ssh", "Install OpenSSH's client: on Debian, apt install openssh-client.", to)
    if by_endpoint:
        _need_aws_cli(to)
    if not file.exists():
        keys.save(to, outputs, file)
    # ssh itself has no use for AWS's keys, and might hand them on.
    _become(line, to, without=() if by_endpoint else _KEYS)


@group.command()
def session(
    host: HostOption = "public", target: TargetOption = "local", yes: YesOption = False
) -> None:
    """Open a shell on a host by Session Manager: no key, no open port; IAM decides who may."""
    from odyssey_cli.flows.network import remedies  # noqa: PLC0415 - see odyssey_cli.target
    from odyssey_cli.flows.network import ssh as command_lines  # noqa: PLC0415
    from odyssey_cli.flows.network.reach import reach as ask  # noqa: PLC0415

    to = resolve(target, yes=yes)
    outputs, network = _read(to)
    found = _host(to, outputs, network, host)
    # Nothing leaves a host that does not run, which a NAT gateway would not mend.
    _check_runs(to, found)
    line = command_lines.session(found.id, to.aws_options)
    way = ask(network, found.id, "internet", _HTTPS)
    has_endpoints = any(each.kind == "vpc_endpoint" for each in network.interfaces)
    cannot_register = not way.gets_through and not has_endpoints
    if cannot_register:
        err.print(
            Text(
                f"The agent on {found.id} cannot register with Session Manager, without a NAT "
                f"gateway or interface endpoints: {plain(way.decided_by)}."
            )
        )
    if to.local is not None:
        typer.echo(shlex.join(line))
        raise _no_machine(found.id)
    if cannot_register:
        remedy = remedies.PUT_BACK
        if host == "private" and not network.nat_gateways:
            remedy = (
                "Log in with ./odyssey network ssh --host private --target aws, or give it a way "
                f"out: {remedies.deploy(to, outputs, network, nat_gateway='true')}"
            )
        raise OdysseyError(f"Session Manager does not reach {found.id}: {way.decided_by}.", remedy)
    _need_aws_cli(to)
    _need(
        "session-manager-plugin",
        "Install it as in https://docs.aws.amazon.com/systems-manager/latest/userguide/"
        "session-manager-working-with-install-plugin.html.",
        to,
    )
    _become(line, to)


def _read(to: Target) -> tuple[dict[str, str], Network]:
    from odyssey_cli.flows.network import remedies  # noqa: PLC0415 - see odyssey_cli.target
    from odyssey_cli.flows.network.reading import NoVpcError, read  # noqa: PLC0415

    outputs = to.outputs(STACK)
    try:
        return outputs, read(to.client("ec2"), outputs["VpcId"])
    except NoVpcError as error:
        raise OdysseyError(error.problem, remedies.anew(to, outputs)) from None


def _named(place: str, outputs: Mapping[str, str], network: Network) -> str:
    """Return the id of the stack's own host, should others be in the same subnet."""
    id_ = outputs.get(_OUTPUTS.get(place, ""), place)
    return id_ if network.host(id_) else place


def _host(to: Target, outputs: Mapping[str, str], network: Network, which: str) -> Host:
    from odyssey_cli.flows.network import remedies  # noqa: PLC0415 - see odyssey_cli.target

    id_ = outputs.get(_OUTPUTS[which])
    if id_ is None:
        raise OdysseyError(
            "The network has no private host.",
            f"Deploy one: {remedies.deploy(to, outputs, network, private_host='endpoint')}",
        )
    host = network.host(id_)
    if host is None or host.state in ("shutting-down", "terminated"):
        raise OdysseyError(
            f"The {which} host {id_} is {host.state if host else 'gone'}.",
            remedies.anew(to, outputs, network),
        )
    return host


def _check_runs(to: Target, host: Host) -> None:
    if host.state == "running":
        return
    start = f"wait a minute: {_aws(to, 'start-instances', host)}."
    remedy = {
        "pending": "Wait a minute.",
        "stopping": f"Wait until it has stopped, then start it, and {start}",
    }.get(host.state, f"Start it, and {start}")
    raise OdysseyError(f"The host {host.id} is {host.state}.", remedy)


def _aws(to: Target, operation: str, host: Host) -> str:
    return shlex.join(["aws", "ec2", operation, "--instance-ids", host.id, *to.aws_options])


def _login(to: Target, host: Host, *, is_public: bool) -> command_lines.Host:
    from odyssey_cli.flows.network import ssh as command_lines  # noqa: PLC0415

    _check_runs(to, host)
    # A public address goes when the host is stopped, so it is read anew each time.
    address = host.public_address if is_public else host.address
    if address is None:
        stop, start = _aws(to, "stop-instances", host), _aws(to, "start-instances", host)
        raise OdysseyError(
            f"The host {host.id} has no public address.",
            f"It gets one when it starts: {stop}, and once it has stopped, {start}.",
        )
    return command_lines.Host(address, host.id)


def _no_machine(name: str) -> OdysseyError:
    return OdysseyError(
        f"This is the local cloud: there is no machine behind {name}.",
        "The command line above is what runs with --target aws.",
    )


def _check_open(
    to: Target, outputs: Mapping[str, str], network: Network, host: str, *, by_endpoint: bool
) -> None:
    """Say so before ssh waits for minutes at a port that lets nobody in."""
    from odyssey_cli.flows.network import remedies  # noqa: PLC0415 - see odyssey_cli.target
    from odyssey_cli.flows.network.reach import reach as ask  # noqa: PLC0415

    if by_endpoint:
        ways = [(outputs["ConnectEndpointId"], "private")]
    else:
        ways = [("internet", "public")]
        if host == "private":
            ways.append((outputs["HostId"], "private"))
    for source, which in ways:
        id_ = outputs[_OUTPUTS[which]]
        found = ask(network, source, id_, _SSH)
        if found.only_from:
            err.print(Text(f"Port {_SSH} of {id_} is open to {', '.join(found.only_from)} only."))
        elif not found.gets_through:
            who = "everybody" if source == "internet" else source
            remedy = remedies.PUT_BACK
            # Everything else that can close it the stack has opened.
            if source == "internet" and remedies.ssh_cidr(outputs, network) is None:
                remedy = f"Open it: {remedies.deploy(to, outputs, network, my_ip=True)}"
            raise OdysseyError(
                f"Port {_SSH} of {id_} is closed to {who}: {found.decided_by}.", remedy
            )


def _need(program: str, remedy: str, to: Target) -> str:
    found = shutil.which(program, path=to.environment.get("PATH"))
    if found is None:
        raise OdysseyError(f"There is no {program} here.", remedy)
    return found


def _need_aws_cli(to: Target) -> None:
    remedy = (
        "Install version 2 as in "
        "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html."
    )
    program = _need("aws", remedy, to)
    said = subprocess.run(
        [program, "--version"],
        env=to.environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    if not said.startswith("aws-cli/2."):
        version = said.partition(" ")[0] or "no AWS CLI that runs"
        raise OdysseyError(f"The AWS CLI here is {version}; this needs version 2.", remedy)


def _become(line: list[str], to: Target, *, without: Collection[str] = ()) -> NoReturn:
    """Run a program in place of this one: terminal, signals and exit code are its own.

    Args:
        line: the program and its arguments.
        to: where it goes.
        without: variables that are not for it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores it, and what is ignored stays so across exec: `… | head` would not end.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    environment = {name: it for name, it in to.environment.items() if name not in without}
    os.execvpe(line[0], line, environment)  # noqa: S606 - as an argument list
