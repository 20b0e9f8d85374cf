"""A network that is made up, for the commands: where it is deployed, and what takes over."""

from __future__ import annotations

import os
import shlex
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from typer.testing import CliRunner

from odyssey_cli import paths
from odyssey_cli.account_trouble import Choice
from odyssey_cli.commands import network as commands
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.network import STACK, keys, reading
from odyssey_cli.target import Target
from tests.unit.networks import DOOR, PRIVATE, PUBLIC, network

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from odyssey_cli.flows.network.topology import Network

OUTPUTS = {
    "VpcId": "vpc-1", "HostId": PUBLIC, "PrivateHostId": PRIVATE, "ConnectEndpointId": DOOR,
    "KeyPairId": "key-1", "KeyParameter": "/ec2/keypair/key-1",
}  # fmt: skip
AWS_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
_FINGERPRINT = "A" * 43 + "="


class Became(Exception):  # noqa: N818 - reads as the statement it is
    """Another program took over."""


@dataclass
class FakeTarget:
    """Where the network is deployed; `local` as on the local cloud."""

    network: Network
    environment: dict[str, str]
    local: object | None = None
    deployed: dict[str, str] = field(default_factory=lambda: dict(OUTPUTS))
    saved: list[Path] = field(default_factory=list)
    choice: Choice = field(default_factory=lambda: Choice("mine", "AWS_PROFILE"))
    became: list[tuple[str, list[str], dict[str, str]]] = field(default_factory=list)

    def outputs(self, stack: str) -> dict[str, str]:
        assert stack == STACK
        return self.deployed

    def client(self, service: str) -> str:
        return service

    @property
    def aws_options(self) -> list[str]:
        """As of a target that is none."""
        of = Target(self.environment, Path(), cast("Any", self.local), choice=self.choice)
        return of.aws_options

    def without(self, *outputs: str) -> None:
        self.deployed = {
            name: value for name, value in self.deployed.items() if name not in outputs
        }

    def line(self) -> str:
        """Return the command line that took over."""
        [(_, line, _)] = self.became
        return shlex.join(line)

    def keys_given(self) -> set[str]:
        """Return which variables with credentials what took over was given."""
        [(_, _, environment)] = self.became
        assert environment["PATH"] == self.environment["PATH"]
        return {name for name in environment if name in AWS_KEYS}


def a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTarget]:
    """Make an AWS account, on a machine with every program that is needed, for a fixture."""
    programs = tmp_path / "programs"
    programs.mkdir()
    environment = {"PATH": str(programs), "AWS_REGION": "eu-north-1"}
    made = FakeTarget(network(), environment | dict.fromkeys(AWS_KEYS, "secret"))
    for name in ("ssh", "session-manager-plugin"):
        put(made, name)
    put(made, "aws", "echo aws-cli/2.31.0 Python/3.13.7")

    def read(client: str, vpc_id: str) -> Network:
        assert (client, vpc_id) == ("ec2", "vpc-1")
        return made.network

    def save(_: object, outputs: dict[str, str], file: Path) -> keys.Saved:
        assert outputs == made.deployed
        made.saved.append(file)
        return keys.Saved(file, _FINGERPRINT, is_new=len(made.saved) == 1)

    def become(*call: Any) -> None:
        made.became.append(call)
        raise Became

    monkeypatch.setattr(commands, "resolve", lambda *_, **__: made)
    monkeypatch.setattr(reading, "read", read)
    monkeypatch.setattr(keys, "save", save)
    monkeypatch.setattr(os, "execvpe", become)
    monkeypatch.setattr(paths, "STATE", tmp_path / "a state")
    before = signal.getsignal(signal.SIGPIPE)
    yield made
    signal.signal(signal.SIGPIPE, before)


def put(target: FakeTarget, name: str, script: str = "") -> None:
    program = Path(target.environment["PATH"]) / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(commands.group, list(arguments))


def take_over(*arguments: str) -> None:
    assert isinstance(run(*arguments).exception, Became)


def error_of(result: Any) -> OdysseyError:
    assert isinstance(result.exception, OdysseyError), result.output
    return result.exception
