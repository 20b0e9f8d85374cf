"""Every line that an audit prints is one that the AWS CLI takes, and leads to the target."""

from __future__ import annotations

import functools
import json
import re
import shlex
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore import xform_name

from odyssey_cli import audit, removals
from odyssey_cli.account_trouble import Choice
from odyssey_cli.audit import Verdict
from odyssey_cli.inventory import Thing
from tests.unit.auditing import ACCOUNT, OURS, PROD, RULE, STACK, Account, local, target

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.model import OperationModel, Shape, StructureShape

    from odyssey_cli.target import Target

KINDS = sorted(removals.known())
# Options of every command, and how many values they take ("Command line options", AWS CLI User
# Guide, 2026-11-21).
OF_ALL = {"query": 1, "output": 1, "no-paginate": 0}
TO_LOCAL = {"--endpoint-url": "http://127.0.0.1:1", "--region": "us-east-1"}
TO_AWS = {"--profile": "the team's", "--region": "us-east-1"}


def thing(kind: str) -> Thing:
    """Return something of a kind with all that any removal may ask for."""
    # A stack that is well is none that is left.
    state = "DELETE_FAILED" if kind == STACK else ""
    return Thing(kind, "a name", id="an id", within="a place", state=state, tags=OURS)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


@pytest.fixture(params=["local", "aws"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Target, dict[str, str]]:
    """A target, and the options that lead there."""
    if request.param == "aws":
        return replace(target(tmp_path), choice=Choice("the team's", ".env")), TO_AWS
    to = local(tmp_path, 1.0)
    (tmp_path / "before.json").write_text(json.dumps({"cloud": 1.0, "things": []}))
    return to, TO_LOCAL


def calls(line: str) -> list[list[str]]:
    """Return the AWS CLI's command lines in a shell's."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = []
    is_call = False
    for token in lexer:
        if re.fullmatch("[();<>|&]+", token):
            is_call = False
        elif token == "aws":
            is_call = True
            found.append([])
        elif is_call:
            found[-1].append(token)
    return found


@functools.cache
def operation(service: str, words: tuple[str, ...]) -> OperationModel:
    """Return botocore's model of what a command calls.

    Raises:
        KeyError: there is no such operation, or waiter.
    """
    session = botocore.session.get_session()
    model = session.get_service_model({"s3api": "s3"}.get(service, service))
    if words[0] == "wait":
        waiters = session.get_waiter_model(service)
        named = {xform_name(each, "-"): each for each in waiters.waiter_names}
        return model.operation_model(waiters.get_waiter(named[words[1]]).operation)
    named = {xform_name(each, "-"): each for each in model.operation_names}
    return model.operation_model(named[words[0]])


def taken(model: OperationModel) -> StructureShape:
    """Return what an operation takes; all of ours take something."""
    assert model.input_shape is not None
    return model.input_shape


def is_switch(shape: Shape) -> bool:
    """Say whether the CLI takes a member as --x and --no-x: also EC2's attributes."""
    members: dict[str, Shape] = getattr(shape, "members", {})
    inner = members.get("Value", shape) if len(members) == 1 else shape
    return inner.type_name == "boolean"


def parsed(call: list[str]) -> tuple[dict[str, str], OperationModel, set[str]]:
    """Return a call's options for all services, its operation, and the members it gives.

    Raises:
        AssertionError: it is not what the operation takes.
    """
    options: dict[str, str] = {}
    while call[0].startswith("--"):
        options[call[0]], call = call[1], call[2:]
    words = tuple(call[1 : 3 if call[1] == "wait" else 2])
    model = operation(call[0], words)
    members = {xform_name(name, "-"): (name, shape) for name, shape in
               taken(model).members.items()}  # fmt: skip
    given = set()
    rest = call[1 + len(words) :]
    while rest:
        option, values, rest = rest[0].removeprefix("--"), [], rest[1:]
        while rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
        if option in OF_ALL:
            assert len(values) == OF_ALL[option], call
            continue
        name, shape = members[option if option in members else option.removeprefix("no-")]
        assert len(values) == (0 if is_switch(shape) else 1), call
        assert "" not in values, call
        given.add(name)
    return options, model, given


@pytest.mark.parametrize("kind", KINDS)
def test_every_call_is_one_that_the_service_has_with_what_it_requires(
    kind: str, where: tuple[Target, dict[str, str]], account: Account
) -> None:
    # GIVEN one of each kind that is left
    to, options = where
    account.things = {thing(kind)}

    # WHEN the audit says what removes it
    [row] = audit.audit(to, []).rows

    # THEN a shell and the AWS CLI take each line, and it goes there
    assert row.verdict is Verdict.LEFT
    assert row.removal
    for line in row.removal:
        assert subprocess.run(["bash", "-n", "-c", line], check=False).returncode == 0
        found = calls(line)
        assert len(found) == len(re.findall(r"\baws --", line)) > 0
        for call in found:
            leads_to, model, given = parsed(call)
            assert leads_to == options
            assert set(taken(model).required_members) <= given


def test_what_a_call_lacks_or_misspells_is_noticed() -> None:
    with pytest.raises(KeyError):
        parsed(shlex.split("iam remove-role --role-name r"))
    with pytest.raises(KeyError):
        parsed(shlex.split("iam delete-role --name r"))
    with pytest.raises(AssertionError):
        parsed(shlex.split("sqs delete-queue --queue-url"))
    _, model, given = parsed(shlex.split("budgets delete-budget --budget-name b"))
    assert not set(taken(model).required_members) <= given


def lines(of: Thing) -> list[str]:
    return removals.lines(of, aws="aws", account=ACCOUNT)


def test_what_is_not_known_is_not_guessed() -> None:
    assert lines(Thing("AWS::EC2::EIP", "192.0.2.1")) == []
    assert lines(Thing("AWS::EC2::EIP", "192.0.2.1", id="eipalloc-1")) == [
        "aws ec2 release-address --allocation-id eipalloc-1"
    ]
    assert lines(Thing("AWS::Wisdom::Assistant", "1")) == []
    # One that is attached to no VPC need not be detached.
    assert lines(Thing("AWS::EC2::InternetGateway", "igw-1")) == [
        "aws ec2 delete-internet-gateway --internet-gateway-id igw-1"
    ]
    assert lines(Thing("AWS::Budgets::Budget", "b")) == [
        f"aws budgets delete-budget --account-id {ACCOUNT} --budget-name b"
    ]


def test_a_name_stays_one_word_for_the_shell() -> None:
    [line] = lines(Thing("AWS::Logs::LogGroup", "a; rm -r {id} $HOME"))
    assert calls(line)[0][-1] == "a; rm -r {id} $HOME"


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("AWS::IAM::Role", ["detach-role-policy", "delete-role-policy",
                            "remove-role-from-instance-profile"]),
        ("AWS::IAM::User", ["delete-access-key", "remove-user-from-group", "detach-user-policy",
                            "delete-user-policy"]),
        ("AWS::IAM::Group", ["remove-user-from-group", "detach-group-policy",
                             "delete-group-policy"]),
        ("AWS::IAM::ManagedPolicy", ["detach-role-policy", "detach-user-policy",
                                     "detach-group-policy", "delete-policy-version"]),
        ("AWS::IAM::InstanceProfile", ["remove-role-from-instance-profile"]),
        ("AWS::S3::Bucket", ["delete-objects"]),
        (RULE, ["remove-targets"]),
        (STACK, ["update-termination-protection"]),
        ("AWS::DynamoDB::Table", ["update-table"]),
        ("AWS::EC2::Instance", ["modify-instance-attribute"]),
    ],
)  # fmt: skip
def test_what_has_to_go_first_goes_first(kind: str, first: list[str]) -> None:
    said = [call[1] for line in lines(thing(kind)) for call in calls(line)]
    changes = [each for each in said if not each.startswith(("list-", "get-"))]
    assert changes[: len(first)] == first
    assert changes[len(first)].startswith(("delete-", "terminate-"))


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        (RULE, "AWS::Events::EventBus"),
        ("AWS::EC2::Subnet", "AWS::EC2::VPC"),
        ("AWS::EC2::InternetGateway", "AWS::EC2::VPC"),
        ("AWS::EC2::NetworkInterface", "AWS::EC2::Subnet"),
        ("AWS::EC2::Instance", "AWS::EC2::Volume"),
        ("AWS::EC2::NatGateway", "AWS::EC2::EIP"),
        ("AWS::IAM::InstanceProfile", "AWS::IAM::Role"),
        ("AWS::S3::Bucket", "AWS::KMS::Key"),
    ],
)
def test_what_others_need_goes_after_them(
    kind: str, before: str, where: tuple[Target, dict[str, Any]], account: Account
) -> None:
    account.things = {thing(before), thing(kind)}
    rows = audit.audit(where[0], []).rows
    assert [row.thing.type for row in rows] == [kind, before]


def test_what_prod_keeps_can_be_removed_by_who_wants_to(tmp_path: Path, account: Account) -> None:
    account.things = {Thing("AWS::DynamoDB::Table", "t", tags=PROD)}
    [row] = audit.audit(target(tmp_path), []).rows
    assert row.verdict is Verdict.KEPT
    assert row.removal[-1] == "aws --region us-east-1 dynamodb delete-table --table-name t"
