"""What `odyssey network` draws: everything there is, in as few columns as a terminal has."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from odyssey_cli.commands import network_view as view
from odyssey_cli.console import CONTROL
from odyssey_cli.flows.network import topology
from odyssey_cli.flows.network.reach import reach
from odyssey_cli.flows.network.topology import Route, Rule
from tests.unit.networks import (
    ALLOWED,
    DOOR,
    HTTPS_OUT,
    LOCAL,
    NAT,
    PRIVATE,
    PUBLIC,
    acl,
    changed,
    deny,
    network,
    with_entries,
    with_nat,
    with_routes,
    with_rules,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from odyssey_cli.flows.network.topology import Network

_GUIDES = re.compile(r"[│├└─┃┏┓┗┛━┡┩╇┳┻╋┼┴┤┬╈╊┘┐┌\s]")
EVIL = "a\x1b[2J\x9b1m [bold]b[/bold]"
BASE = network()


def drawn(parts: Iterable[RenderableType], width: int = 80) -> list[str]:
    """Return the lines that are drawn on a terminal of so many columns."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for each in parts:
        console.print(each)
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return written.splitlines()


def everything(of: Network, width: int = 80) -> list[str]:
    return drawn([view.tree(of), *view.tables(of)], width)


def bare(lines: Iterable[str]) -> str:
    """Return what was drawn without guides, borders and the breaks of lines."""
    return _GUIDES.sub("", "".join(lines))


def with_real_ids() -> Network:
    """Return a network whose ids and names are as long as AWS's and CDK's."""

    def real(found: re.Match[str]) -> str:
        digits = hashlib.sha256(found[0].encode()).hexdigest()[:16]
        return f"'{found[1]}-0{digits}'"

    rule = Rule("sgr-1", False, "tcp", (1024, 65535), "pl-s3", "because " * 9)
    group = replace(BASE.groups[1], name="Network-HostSecurityGroup4A7B01F2-1ABC2DEF3GHI")
    of = replace(with_nat(), groups=(replace(group, rules=(rule, *group.rules)), *BASE.groups[2:]))
    text = re.sub(r"'(subnet|rtb|sgr?|acl|igw|nat|vpce?|pl|eni)-[a-z0-9]+'", real, repr(of))
    made: Network = eval(text, vars(topology))  # noqa: S307 - our own text
    return made


def test_the_tree_goes_from_the_vpc_to_addresses() -> None:
    lines = drawn([view.tree(BASE)])
    order = [
        "VPC vpc-1 Network/Vpc 10.0.0.0/16",
        "internet gateway igw-1 available",
        "gateway endpoint vpce-s3 com.amazonaws.eu-north-1.s3 available",
        "zone eu-north-1a",
        "public subnet subnet-public Public 10.0.0.0/20",
        "route table rtb-public",
        "0.0.0.0/0 → igw-1",
        "pl-s3 (com.amazonaws.eu-north-1.s3) → vpce-s3",
        "network ACL acl-1 (default)",
        f"host {PUBLIC} Host running",
        "10.0.0.10 public 198.51.100.10",
        "security group sg-public (Public)",
        "private subnet subnet-private Private 10.0.32.0/20",
        f"Instance Connect Endpoint {DOOR} create-complete",
        f"host {PRIVATE} PrivateHost running",
        "10.0.32.10 no public address",
    ]
    found = [next(i for i, line in enumerate(lines) if each in line) for each in order]
    assert found == sorted(found)


def test_the_tree_shows_nat_gateways_and_routes_that_are_gone() -> None:
    lines = drawn([view.tree(with_nat())])
    assert any("NAT gateway nat-1 available 10.0.0.20 public 198.51.100.20" in x for x in lines)
    gone = with_routes("rtb-private", LOCAL, Route("0.0.0.0/0", "nat-1", "blackhole"))
    assert any("0.0.0.0/0 → nat-1 (blackhole)" in line for line in drawn([view.tree(gone)]))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_is_cut_off_however_narrow_the_terminal(width: int) -> None:
    of = with_real_ids()
    lines = everything(of, width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    # Cells are broken into lines, between which are those of others: the letters are the same.
    assert Counter(bare(lines)) == Counter(bare(everything(of, 1000)))


def test_on_a_usual_terminal_no_id_is_broken() -> None:
    of = with_real_ids()
    ids = set(re.findall(r"'((?:subnet|rtb|sgr?|acl|igw|nat|vpce?|pl|eni|i|eice)-\w+)'", repr(of)))
    assert len(ids) > 20
    text = "\n".join(everything(of, 80))
    assert [each for each in ids if each not in text] == []


def test_rules_and_entries_say_way_ports_and_peer() -> None:
    own = with_entries(deny(5, f"{ALLOWED}/32", protocol="tcp", ports=(20, 22)))
    lines = everything(own, 120)
    for parts in (
        ("sgr-ssh", "in", "tcp 22", f"{ALLOWED}/32"),
        ("sgr-door", "in", "tcp 22", "sg-door"),
        ("sgr-https", "out", "tcp 443", "0.0.0.0/0"),
        ("in", "5", "tcp 20-22", f"{ALLOWED}/32", "deny"),
        ("in", "*", "everything", "0.0.0.0/0", "deny"),
    ):
        pattern = r"\s+│\s+".join(map(re.escape, parts))
        assert any(re.search(pattern, line) for line in lines), parts
    text = bare(lines)
    assert "sg-door(Door)" not in text
    assert "sg-doorDoor" in text.replace("│", "")
    assert bare(["somebody's own address"]) in text


def test_a_group_without_rules_is_said_to_have_none() -> None:
    assert any("sg-default default: no rule" in line for line in everything(BASE))


def test_addresses_are_those_of_hosts_and_of_other_interfaces() -> None:
    lines = bare(everything(BASE))
    assert f"{PUBLIC}subnet-public10.0.0.10Hostpublic198.51.100.10" in lines
    assert "eni-doorsubnet-private10.0.32.30" in lines


def test_no_text_of_the_account_steers_the_terminal() -> None:
    of = replace(
        changed(
            changed(with_rules("sg-public", replace(BASE.groups[1].rules[0], description=EVIL)),
                    "hosts", PUBLIC, name=EVIL),
            "groups", "sg-default", name=EVIL, rules=(HTTPS_OUT,)),
        name=EVIL,
        acls=(replace(acl("acl-1", "subnet-public", "subnet-private", default=True), name=EVIL),),
    )  # fmt: skip
    text = "\n".join(everything(of, 200))
    assert not CONTROL.search(text.replace("\n", ""))
    assert text.count("[bold]b[/bold]") == 5


def test_a_network_is_json_with_everything_in_it() -> None:
    found = json.loads(json.dumps(view.described(BASE)))
    assert found["id"] == "vpc-1"
    assert found["subnets"][0]["kind"] == "public"
    assert found["groups"][1]["rules"][1]["peer"] == f"{ALLOWED}/32"
    assert found["groups"][1]["rules"][1]["ports"] == [22, 22]
    assert found["acls"][0]["entries"][0]["number"] == 100
    assert json.loads(json.dumps(view.described(with_nat())))["nat_gateways"][0]["id"] == NAT.id


def test_a_verdict_shows_each_hop_and_what_decides() -> None:
    verdict = reach(BASE, "internet", "public", 22)
    lines = drawn([view.hops(verdict)], 200)
    assert [line[2] for line in lines if "there" in line] == ["✓"] * 4 + ["✗"]
    text = " ".join(map(str, view.answer(verdict)))
    assert f"does not get through, only from {ALLOWED}/32." in text
    assert "Decided by security groups of host" in text
    assert "Reachability Analyzer" in text


def test_hops_are_not_cut_off() -> None:
    verdict = reach(BASE, ALLOWED, "public", 22)
    lines = drawn([view.hops(verdict), *view.answer(verdict)], 60)
    assert max(map(len, lines)) <= 60
    assert "…" not in "".join(lines)
    assert "sgr-ssh" in bare(lines)


def test_a_verdict_is_json() -> None:
    found = json.loads(json.dumps(view.verdict(reach(BASE, "internet", "public", 22))))
    assert (found["from"], found["port"], found["protocol"]) == ("the internet", 22, "tcp")
    assert found["gets_through"] is False
    assert found["only_from"] == [f"{ALLOWED}/32"]
    assert found["hops"][-1]["id"] == "sgr-ssh"
    assert found["decided_by"] in found["hops"][-1]["looked_at"] + ": " + found["hops"][-1]["found"]
    assert found["not_looked_at"]
