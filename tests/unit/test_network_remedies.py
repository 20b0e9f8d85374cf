"""What `odyssey network` tells somebody to run: nothing that takes away what is there."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.account_trouble import Choice
from odyssey_cli.flows.network import reading, remedies
from odyssey_cli.flows.network.topology import Interface, Rule
from tests.unit.network_commands import OUTPUTS, Became, FakeTarget, a_target, error_of, run
from tests.unit.network_commands import take_over as become
from tests.unit.networks import (
    ALLOWED,
    DOOR,
    EVERYBODY_IN,
    HTTPS_OUT,
    NAT,
    PRIVATE,
    PUBLIC,
    SSH_IN,
    SSH_OUT,
    changed,
    deny,
    network,
    with_entries,
    with_nat,
    with_rules,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from odyssey_cli.flows.network.topology import Network

OTHERS = "Give your other options (such as budget_email) again, too, or keep them in cdk.json."
KEPT = f"-c private_host=endpoint -c ssh_cidr={ALLOWED}/32"
BY_HAND = "A deployment does not bring back what was deleted by hand: run"
ANEW = (
    f"{BY_HAND} ./odyssey destroy Network --target aws, which takes the hosts with it, then "
    f"./odyssey deploy Network {KEPT} --target aws. {OTHERS}"
)


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTarget]:
    """An AWS account, on a machine with every program that is needed."""
    yield from a_target(tmp_path, monkeypatch)


def remedy(*arguments: str) -> str:
    return error_of(run(*arguments)).remedy


DEPLOYED = list(itertools.product(("none", "endpoint", "jump"), (False, True), (False, True)))
WANTED: list[dict[str, Any]] = [
    {}, {"my_ip": True}, {"nat_gateway": "true"}, {"private_host": "endpoint"},
]  # fmt: skip


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize(("private", "nat", "ssh"), DEPLOYED)
def test_what_is_deployed_is_deployed_again_with_what_is_wanted(
    private: str, nat: bool, ssh: bool, wanted: dict[str, Any], local: bool, target: FakeTarget
) -> None:
    # GIVEN
    gone = {"none": ("PrivateHostId", "ConnectEndpointId"), "jump": ("ConnectEndpointId",)}
    target.without(*gone.get(private, ()))
    target.local = object() if local else None
    of = with_rules("sg-public", HTTPS_OUT, *((SSH_IN,) if ssh else ()))
    of = replace(of, nat_gateways=(NAT,) if nat else ())

    # WHEN
    said = remedies.deploy(target, target.deployed, of, **wanted)  # type: ignore[arg-type]

    # THEN
    expected = "./odyssey deploy Network"
    host = wanted.get("private_host", private)
    expected += " -c nat_gateway=true" if nat or "nat_gateway" in wanted else ""
    expected += f" -c private_host={host}" if host != "none" else ""
    if "my_ip" in wanted:
        expected += " --my-ip"
    elif ssh:
        expected += f" -c ssh_cidr={ALLOWED}/32"
    expected += "" if local else " --target aws"
    assert said == f"{expected}. {OTHERS}"


OWN = Rule("sgr-own", False, "tcp", (22, 22), "198.51.100.0/24", "SSH from whoever deployed this")
WIDER = replace(SSH_IN, ports=(22, 23))


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ((), None),
        ((SSH_IN,), f"{ALLOWED}/32"),
        ((SSH_IN, OWN), "198.51.100.0/24"),
        # Two that somebody has added by hand: the stack has none.
        ((SSH_IN, replace(SSH_IN, peer="203.0.113.9/32")), None),
        # The app takes none of these.
        ((EVERYBODY_IN,), None),
        ((EVERYBODY_IN, SSH_IN), f"{ALLOWED}/32"),
        ((replace(SSH_IN, peer="sg-door"),), None),
        ((WIDER,), None),
        ((replace(SSH_IN, protocol="all", ports=None),), None),
        ((replace(SSH_IN, is_egress=True),), None),
    ],
)
@pytest.mark.parametrize("is_there", [True, False])
def test_ssh_is_open_from_where_the_option_has_it(
    is_there: bool, rules: tuple[Rule, ...], found: str | None
) -> None:
    # GIVEN rules of the public host's group, which outlives the host
    of = with_rules("sg-public", HTTPS_OUT, *rules)
    of = of if is_there else replace(of, hosts=of.hosts[1:])
    # THEN
    assert remedies.ssh_cidr(OUTPUTS, of) == found


@pytest.mark.parametrize(
    ("state", "counts"),
    [("pending", True), ("available", True), ("deleting", False), ("failed", False)],
)
def test_a_nat_gateway_that_goes_is_none(state: str, counts: bool, target: FakeTarget) -> None:
    of = with_nat(replace(NAT, state=state))
    said = remedies.deploy(target, OUTPUTS, of)  # type: ignore[arg-type]
    assert ("nat_gateway" in said) is counts


def test_a_vpc_that_is_gone_comes_back_by_destroying_first(
    target: FakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    def read(*_: object) -> None:
        raise reading.NoVpcError("There is no VPC vpc-1: somebody deleted it.", "Destroy it.")

    monkeypatch.setattr(reading, "read", read)
    # WHEN
    error = error_of(run("describe"))
    # THEN what the outputs tell of it is given again
    assert error.problem == "There is no VPC vpc-1: somebody deleted it."
    assert error.remedy == (
        f"{BY_HAND} ./odyssey destroy Network --target aws, which takes the hosts with it, then "
        f"./odyssey deploy Network -c private_host=endpoint --target aws. {OTHERS}"
    )


@pytest.mark.parametrize("command", ["ssh", "session"])
@pytest.mark.parametrize("state", [None, "shutting-down", "terminated"])
def test_a_host_that_is_gone_comes_back_by_destroying_first(
    state: str | None, command: str, target: FakeTarget
) -> None:
    of = target.network
    target.network = replace(of, hosts=of.hosts[1:])
    if state is not None:
        target.network = changed(of, "hosts", PUBLIC, state=state)
    error = error_of(run(command))
    assert error.problem == f"The public host {PUBLIC} is {state or 'gone'}."
    assert error.remedy == ANEW


@pytest.mark.parametrize("command", ["ssh", "session"])
@pytest.mark.parametrize(
    ("of", "options"),
    [
        (with_nat(), f"-c nat_gateway=true {KEPT}"),
        (with_rules("sg-public", HTTPS_OUT), "-c private_host=endpoint"),
    ],
    ids=["with a NAT gateway and SSH", "with neither"],
)
def test_a_private_host_is_added_to_what_is_there(
    of: Network, options: str, command: str, target: FakeTarget
) -> None:
    target.without("PrivateHostId", "ConnectEndpointId")
    target.network = of
    assert remedy(command, "--host", "private") == (
        f"Deploy one: ./odyssey deploy Network {options} --target aws. {OTHERS}"
    )


START = f"aws ec2 start-instances --instance-ids {PUBLIC} --region eu-north-1"


@pytest.mark.parametrize("command", ["ssh", "session"])
@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("stopped", f"Start it, and wait a minute: {START}."),
        ("stopping", f"Wait until it has stopped, then start it, and wait a minute: {START}."),
        ("pending", "Wait a minute."),
    ],
)
def test_a_host_that_does_not_run_is_to_be_started_and_nothing_bought(
    state: str, said: str, command: str, target: FakeTarget
) -> None:
    target.network = changed(target.network, "hosts", PUBLIC, state=state, public_address=None)
    error = error_of(run(command))
    assert error.problem == f"The host {PUBLIC} is {state}."
    assert error.remedy == said
    assert target.became == []


def test_a_host_without_a_public_address_gets_one_when_it_starts(target: FakeTarget) -> None:
    target.network = changed(target.network, "hosts", PUBLIC, public_address=None)
    error = error_of(run("ssh"))
    assert error.problem == f"The host {PUBLIC} has no public address."
    assert error.remedy == (
        f"It gets one when it starts: {START.replace('start-', 'stop-')}, "
        f"and once it has stopped, {START}."
    )


def test_a_port_that_nobody_opened_is_opened_and_the_private_host_stays(
    target: FakeTarget,
) -> None:
    target.network = with_rules("sg-public", HTTPS_OUT)
    error = error_of(run("ssh"))
    assert error.problem.startswith(f"Port 22 of {PUBLIC} is closed to everybody: ")
    assert "no inbound rule of sg-public" in error.problem
    assert error.remedy == (
        f"Open it: ./odyssey deploy Network -c private_host=endpoint --my-ip --target aws. {OTHERS}"
    )
    assert (target.became, target.saved) == ([], [])


def test_a_port_that_was_opened_and_then_closed_by_hand_is_not_opened_by_a_deployment(
    target: FakeTarget,
) -> None:
    target.network = with_entries(deny(1))
    error = error_of(run("ssh"))
    assert "network ACL" in error.problem
    assert error.remedy == remedies.PUT_BACK


@pytest.mark.parametrize(
    ("jump", "of", "said", "mends"),
    [
        (False, with_rules("sg-private", HTTPS_OUT), f"closed to {DOOR}", remedies.PUT_BACK),
        (
            True,
            with_rules("sg-public", SSH_IN),
            f"closed to {PUBLIC}",
            remedies.PUT_BACK,
        ),
        (
            True,
            with_rules("sg-public", SSH_OUT),
            "closed to everybody",
            "Open it: ./odyssey deploy Network -c private_host=jump --my-ip --target aws. "
            f"{OTHERS}",
        ),
    ],
    ids=["endpoint", "jump, second half", "jump, first half"],
)
def test_every_part_of_a_detour_has_to_be_open(
    jump: bool, of: Network, said: str, mends: str, target: FakeTarget
) -> None:
    target.network = of
    if jump:
        target.without("ConnectEndpointId")
    error = error_of(run("ssh", "--host", "private"))
    assert said in error.problem
    assert error.remedy == mends
    assert target.became == []


def test_session_says_that_the_private_host_cannot_register(target: FakeTarget) -> None:
    result = run("session", "--host", "private")
    said = " ".join(result.stderr.split())
    assert "without a NAT gateway or interface endpoints" in said
    assert "no route to the internet" in said
    assert error_of(result).remedy == (
        "Log in with ./odyssey network ssh --host private --target aws, or give it a way out: "
        f"./odyssey deploy Network -c nat_gateway=true {KEPT} --target aws. {OTHERS}"
    )
    assert target.became == []


def test_a_nat_gateway_is_not_sold_to_a_host_that_has_another_way_out(target: FakeTarget) -> None:
    # GIVEN a public host whose way out somebody has closed
    target.network = with_rules("sg-public", SSH_IN)
    error = error_of(run("session"))
    assert error.problem.startswith(f"Session Manager does not reach {PUBLIC}: ")
    assert "no outbound rule of sg-public" in error.problem
    assert error.remedy == remedies.PUT_BACK
    # GIVEN a private one, beside a NAT gateway to which no route leads any more
    target.network = replace(network(), nat_gateways=(NAT,))
    assert remedy("session", "--host", "private") == remedies.PUT_BACK


@pytest.mark.parametrize("by", ["NAT gateway", "interface endpoints"])
def test_with_a_way_out_the_private_host_may_register(by: str, target: FakeTarget) -> None:
    endpoint = Interface("eni-1", "subnet-private", "10.0.32.40", None, (), "vpc_endpoint")
    by_endpoint = replace(target.network, interfaces=(*target.network.interfaces, endpoint))
    target.network = with_nat() if by == "NAT gateway" else by_endpoint
    become("session", "--host", "private")


@pytest.mark.parametrize(
    ("choice", "profile"),
    [
        (Choice("my sso", ".env"), " --profile 'my sso'"),
        (Choice("mine", "ODYSSEY_PROFILE"), " --profile mine"),
        (Choice("mine", "AWS_PROFILE"), ""),
        (Choice("default", "default"), ""),
        (Choice(None, "the environment's keys"), ""),
    ],
)
def test_the_aws_cli_goes_where_the_command_went(
    choice: Choice, profile: str, target: FakeTarget
) -> None:
    # GIVEN a profile that plain aws takes, or one that it does not know of
    target.choice = choice
    options = f"{profile} --region eu-north-1"
    # THEN so it is for what takes over, ssh's way through the endpoint, and what is to be run
    become("session")
    assert target.line() == f"aws ssm start-session --target {PUBLIC}{options}"
    assert len(target.keys_given()) == 3
    printed = run("ssh", "--host", "private", "--print").stdout.replace("'\"'\"'", "'")
    way = f"aws ec2-instance-connect open-tunnel --instance-id {PRIVATE}{options}'"
    assert f"ProxyCommand={way}" in printed
    target.network = changed(network(), "hosts", PUBLIC, state="stopped")
    assert remedy("ssh").endswith(f"--instance-ids {PUBLIC}{options}.")


@pytest.mark.parametrize("host", ["public", "private"])
def test_ssh_is_handed_keys_of_aws_only_where_it_runs_the_aws_cli(
    host: str, target: FakeTarget
) -> None:
    assert isinstance(run("ssh", "--host", host).exception, Became)
    assert len(target.keys_given()) == (3 if host == "private" else 0)
