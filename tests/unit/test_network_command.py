"""What `odyssey network` says and does, on a network that is made up."""

from __future__ import annotations

import json
import shlex
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.network_commands import (
    Became,
    FakeTarget,
    a_target,
    error_of,
    put,
    run,
    take_over,
)
from tests.unit.networks import (
    ALLOWED,
    EVERYBODY_IN,
    FROM_PUBLIC,
    HTTPS_OUT,
    PRIVATE,
    PUBLIC,
    SSH_IN,
    SSH_OUT,
    with_rules,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTarget]:
    """An AWS account, on a machine with every program that is needed."""
    yield from a_target(tmp_path, monkeypatch)


def test_describe_draws_the_tree_and_the_tables(target: FakeTarget) -> None:
    result, as_json = run("describe"), json.loads(run("describe", "--json").stdout)
    assert result.exit_code == 0
    assert [each["id"] for each in as_json["hosts"]] == [PUBLIC, PRIVATE]
    for part in ("VPC vpc-1", PUBLIC, "Route table rtb-public", "sgr-ssh", "Network ACL acl-1"):
        assert part in result.stdout


@pytest.mark.parametrize(("port", "code"), [("22", 0), ("80", 1)])
def test_reach_exits_with_whether_the_packet_gets_through(
    port: str, code: int, target: FakeTarget
) -> None:
    result = run("reach", "--from", ALLOWED, "--to", "public", "--port", port)
    assert result.exit_code == code
    assert ("does not get through" in " ".join(result.stdout.split())) == bool(code)
    assert "Decided by" in result.stdout


def test_reach_as_json_is_one_object_and_the_same_exit_code(target: FakeTarget) -> None:
    asked = ("--from", "internet", "--to", "public", "--port", "22", "--json")
    result, by_udp = run("reach", *asked), run("reach", *asked, "--protocol", "udp")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["gets_through"], found["only_from"]) == (False, [f"{ALLOWED}/32"])
    assert json.loads(by_udp.stdout)["protocol"] == "udp"


def test_public_and_private_are_the_stacks_own_hosts(target: FakeTarget) -> None:
    # GIVEN another host in the public subnet, which comes first by its id
    other = replace(target.network.hosts[0], id="i-00000000000000000", address="10.0.0.99")
    target.network = replace(target.network, hosts=(other, *target.network.hosts))
    # THEN
    result = run("reach", "--from", "public", "--to", "private", "--port", "22", "--json")
    found = json.loads(result.stdout)
    assert (PUBLIC in found["from"], PRIVATE in found["to"]) == (True, True)


@pytest.mark.parametrize("gone", [("PrivateHostId", "ConnectEndpointId"), ()])
def test_without_a_private_host_reach_speaks_of_any_host_there(
    gone: tuple[str, ...], target: FakeTarget
) -> None:
    target.without(*gone)
    target.network = replace(target.network, hosts=target.network.hosts[:1])
    result = run("reach", "--from", "private", "--to", "s3", "--port", "443")
    assert result.exit_code == 0
    assert "any host in subnet-private" in result.stdout.replace("\n", " ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "nobody", "--to", "public", "--port", "22"),
        ("--from", "internet", "--to", "s3", "--port", "443"),
        ("--from", "internet", "--to", "public", "--port", "0"),
        ("--from", "internet", "--to", "public", "--port", "65536"),
        ("--from", "internet", "--to", "public"),
        ("--from", "internet", "--to", "public", "--port", "22", "--protocol", "icmp"),
    ],
)
def test_a_question_that_is_none_is_a_usage_error(
    arguments: tuple[str, ...], target: FakeTarget
) -> None:
    assert run("reach", *arguments).exit_code == 2


def test_reachs_help_names_what_it_does_not_look_at_and_what_does() -> None:
    text = " ".join(run("reach", "--help").stdout.split())
    for part in ("Not looked at", "firewall", "Reachability Analyzer (0.10 USD", "Network Access"):
        assert part in text


def test_key_says_where_it_is_and_whose(target: FakeTarget, tmp_path: Path) -> None:
    first, again = run("key"), run("key", "--out", str(tmp_path / "mine"))
    assert target.saved == [tmp_path / "a state" / "keys" / "key-1.pem", tmp_path / "mine"]
    assert first.stdout.splitlines() == [str(target.saved[0]), f"SHA256:{'A' * 43}"]
    assert "Saved; the fingerprint is that of the key pair key-1." in first.stderr
    assert "It is there already" in again.stderr


def test_ssh_becomes_ssh_with_the_key_it_fetched(target: FakeTarget, tmp_path: Path) -> None:
    take_over("ssh", "--", "uname", "-a", "two words")
    key = tmp_path / "a state" / "keys" / "key-1.pem"
    assert target.saved == [key]
    words = shlex.split(target.line())
    assert words[:3] == ["ssh", "-i", str(key)]
    assert words[-3:] == ["ec2-user@198.51.100.10", "--", "uname -a 'two words'"]
    assert f'UserKnownHostsFile="{key.parent / "known_hosts"}"' in words
    assert f"HostKeyAlias={PUBLIC}" in words


def test_what_takes_over_may_be_ended_by_the_pipe_it_writes_to(target: FakeTarget) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    take_over("ssh")
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL


def test_ssh_fetches_no_key_that_is_there_and_needs_no_aws_cli(
    target: FakeTarget, tmp_path: Path
) -> None:
    (Path(target.environment["PATH"]) / "aws").unlink()
    key = tmp_path / "a state" / "keys" / "key-1.pem"
    key.parent.mkdir(parents=True)
    key.write_text("a key")
    take_over("ssh")
    assert target.saved == []


def test_ssh_says_to_whom_the_port_is_open(target: FakeTarget) -> None:
    result = run("ssh")
    assert isinstance(result.exception, Became)
    assert f"Port 22 of {PUBLIC} is open to {ALLOWED}/32 only." in result.stderr
    target.network = with_rules("sg-public", HTTPS_OUT, EVERYBODY_IN)
    assert "only" not in run("ssh").stderr


@pytest.mark.parametrize("local", [True, False])
def test_ssh_prints_the_command_line_and_does_nothing_else(local: bool, target: FakeTarget) -> None:
    target.local = object() if local else None
    result = run("ssh", "--print", "--", "echo", "a b")
    assert result.exit_code == 0
    [line] = result.stdout.splitlines()
    assert shlex.split(line)[-1] == "echo 'a b'"
    assert (target.became, target.saved) == ([], [])


@pytest.mark.parametrize("command", ["ssh", "session"])
def test_on_the_local_cloud_it_says_that_there_is_no_machine(
    command: str, target: FakeTarget
) -> None:
    target.local = object()
    result = run(command)
    error = error_of(result)
    assert error.problem.startswith("This is the local cloud: there is no machine behind ")
    [line] = result.stdout.splitlines()
    assert shlex.split(line)[0] in ("ssh", "aws")
    assert (target.became, target.saved) == ([], [])


def test_ssh_reaches_the_private_host_by_the_endpoint(target: FakeTarget) -> None:
    take_over("ssh", "--host", "private")
    words = shlex.split(target.line())
    proxy = f"aws ec2-instance-connect open-tunnel --instance-id {PRIVATE} --region eu-north-1"
    assert f"ProxyCommand={proxy}" in words
    assert words[-1] == "ec2-user@10.0.32.10"


def test_ssh_reaches_the_private_host_by_a_jump(target: FakeTarget) -> None:
    target.without("ConnectEndpointId")
    target.network = with_rules(
        "sg-public", SSH_IN, SSH_OUT, of=with_rules("sg-private", FROM_PUBLIC)
    )
    take_over("ssh", "--host", "private", "id")
    words = shlex.split(target.line())
    [proxy] = [each for each in words if each.startswith("ProxyCommand=ssh ")]
    assert proxy.endswith("-W %h:%p ec2-user@198.51.100.10")
    assert f"HostKeyAlias={PUBLIC}" in proxy
    assert words[-3:] == ["ec2-user@10.0.32.10", "--", "id"]


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("ssh",), "ssh"),
        (("ssh", "--host", "private"), "aws"),
        (("session",), "aws"),
        (("session",), "session-manager-plugin"),
    ],
)
def test_what_is_not_installed_is_said_to_be_needed(
    arguments: tuple[str, ...], missing: str, target: FakeTarget
) -> None:
    (Path(target.environment["PATH"]) / missing).unlink()
    error = error_of(run(*arguments))
    assert error.problem == f"There is no {missing} here."
    assert "Install" in error.remedy
    assert (target.became, target.saved) == ([], [])


@pytest.mark.parametrize("arguments", [("session",), ("ssh", "--host", "private")])
def test_an_aws_cli_of_version_1_is_not_enough(
    arguments: tuple[str, ...], target: FakeTarget
) -> None:
    put(target, "aws", "echo aws-cli/1.45.11 Python/3.11.7")
    error = error_of(run(*arguments))
    assert error.problem == "The AWS CLI here is aws-cli/1.45.11; this needs version 2."
    assert target.became == []
