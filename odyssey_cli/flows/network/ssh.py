"""The command lines that lead onto a host: ssh, straight or by a detour, and Session Manager."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

USER = "ec2-user"
PORT = 22
# What ssh reads in its own way in a path: tokens, variables, quotes and escapes ("TOKENS" and
# "ENVIRONMENT VARIABLES" in ssh_config(5), OpenSSH 9.2).
_SPECIAL = frozenset('%$"\\\n')


@dataclass(frozen=True)
class Key:
    """A private key, and where the host keys of those that it opens are kept."""

    file: Path
    known_hosts: Path


@dataclass(frozen=True)
class Host:
    """A host to log in to.

    Attributes:
        address: where it listens.
        name: under which its host key is kept; an instance keeps its id, not its address.
        user: to log in as; Amazon Linux has ec2-user.
        port: of its sshd.
    """

    address: str
    name: str
    user: str = USER
    port: int = PORT


def command(key: Key, host: Host, words: Sequence[str] = (), *, proxy: str = "") -> list[str]:
    """Return the command line that logs in to a host.

    Args:
        key: to log in with.
        host: to log in to.
        words: a command to run there instead of a shell. A single word is a line for the host's
            shell, as with ssh; of several each arrives as it is, which ssh alone does not do.
        proxy: a command line that leads to the host's port, if it cannot be reached straight.

    Raises:
        OdysseyError: a path has a character that ssh does not take literally.
    """
    line = ["ssh", *_options(key, host)]
    if proxy:
        line += ["-o", f"ProxyCommand={proxy}"]
    line.append(f"{host.user}@{host.address}")
    if words:
        line += ["--", words[0] if len(words) == 1 else shlex.join(words)]
    return line


def through_host(key: Key, jump: Host) -> str:
    """Return a proxy's command line: through a host that the same key opens."""
    line = ["ssh", *_options(key, jump), "-W", "%h:%p", f"{jump.user}@{jump.address}"]
    return shlex.join(line)


def through_endpoint(instance: str, options: Sequence[str] = ()) -> str:
    """Return a proxy's command line: through the VPC's EC2 Instance Connect Endpoint.

    "Connect to a Linux instance using EC2 Instance Connect Endpoint" (Amazon EC2 User Guide),
    2026-11-21; it needs version 2 of the AWS CLI.

    Args:
        instance: its id.
        options: by which the AWS CLI goes to the right account and region.
    """
    line = ["aws", "ec2-instance-connect", "open-tunnel", "--instance-id", instance, *options]
    # ssh would take what follows a percent sign for one of its tokens.
    return shlex.join(line).replace("%", "%%")


def session(instance: str, options: Sequence[str] = ()) -> list[str]:
    """Return the command line of a shell by Session Manager: no key, and no open port.

    Args:
        instance: its id.
        options: see `through_endpoint`.
    """
    return ["aws", "ssm", "start-session", "--target", instance, *options]


def _options(key: Key, host: Host) -> list[str]:
    for path in (key.file, key.known_hosts):
        if odd := sorted(_SPECIAL & set(str(path))):
            raise OdysseyError(
                f"ssh does not take {', '.join(map(repr, odd))} in {str(path)!r} literally.",
                "Keep the project in a folder whose name has no such character.",
            )
    options = {
        # Otherwise it offers every key of an agent first, and is turned away for too many.
        "IdentitiesOnly": "yes",
        # It may name several files, so a path with a space is quoted.
        "UserKnownHostsFile": f'"{key.known_hosts}"',
        # A host that is new is trusted at first sight, one whose key has changed never.
        "StrictHostKeyChecking": "accept-new",
        "HostKeyAlias": host.name,
    }
    line = ["-i", str(key.file)]
    for name, value in options.items():
        line += ["-o", f"{name}={value}"]
    return [*line, "-p", str(host.port)] if host.port != PORT else line
