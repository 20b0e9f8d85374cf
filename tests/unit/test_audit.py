"""What is ours and left, what is kept on purpose, and what is none of our business."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import audit, cdk
from odyssey_cli.audit import Verdict
from odyssey_cli.demo import runner
from odyssey_cli.demo.checks import Checks
from odyssey_cli.inventory import Thing
from tests.unit.auditing import (
    ACCOUNT,
    BUCKET,
    FUNCTION,
    LOGS,
    OURS,
    PARAMETER,
    PROD,
    QUEUE,
    ROLE,
    RULE,
    STACK,
    TABLE,
    TEMPLATES,
    Account,
    arn,
    local,
    reviewed,
    target,
)

if TYPE_CHECKING:
    from pathlib import Path

    from odyssey_cli.target import Target


@pytest.fixture
def aws(tmp_path: Path) -> Target:
    return target(tmp_path)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


def audited(to: Target) -> dict[str, tuple[Verdict, str]]:
    report = audit.audit(to, TEMPLATES)
    return {row.thing.name: (row.verdict, row.why) for row in report.rows}


def test_in_an_account_tags_and_logical_ids_tell_what_is_ours(
    aws: Target, account: Account
) -> None:
    account.things = {
        Thing(TABLE, "tagged"),
        Thing("AWS::EC2::Volume", "vol-1", tags=OURS),
        Thing(LOGS, "/aws/lambda/Network-Closer1A2B3C4D-aB3dE5fG7hI9"),
        Thing(PARAMETER, "/odyssey/alarm-topic-arn"),
        Thing(TABLE, "of-others"),
        Thing("AWS::EC2::Volume", "vol-2", tags={"project": "another"}),
    }
    account.tags = {
        arn("dynamodb", "table/tagged"): OURS,
        arn("ssm", "parameter/odyssey/alarm-topic-arn"): OURS,
    }

    found = audited(aws)

    assert found == {
        "tagged": (Verdict.LEFT, "tag project=aws-odyssey"),
        "vol-1": (Verdict.LEFT, "tag project=aws-odyssey"),
        "/aws/lambda/Network-Closer1A2B3C4D-aB3dE5fG7hI9": (
            Verdict.LEFT,
            "named by CloudFormation for Network",
        ),
        "/odyssey/alarm-topic-arn": (Verdict.LEFT, "tag project=aws-odyssey"),
    }


STRANGERS = [
    Thing(STACK, "Network"),
    Thing(STACK, "EventAggregator", state="DELETE_FAILED"),
    Thing(STACK, "Network-of-somebody", state="ROLLBACK_COMPLETE"),
    Thing(BUCKET, "network-logs-0a1b2c3d4e5f"),
    Thing(BUCKET, "network-of-the-company"),
    Thing(
        QUEUE, f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/EventAggregator-Jobs-aB3dE5fG7hI9"
    ),
    Thing(QUEUE, f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/Network"),
    Thing(LOGS, "/aws/lambda/Network-Resizer-aB3dE5fG7hI9"),
    Thing(LOGS, "/aws/lambda/Network-admin"),
    Thing(LOGS, "/aws/kinesisfirehose/Network-clicks"),
    Thing(FUNCTION, "Network-Resizer0A1B2C3D-aB3dE5fG7hI9"),
    Thing(FUNCTION, "Network-LogRole4C0B2D1D-aB3dE5fG7hI9"),
    Thing(ROLE, "Network-ResizerRole0A1B2C3D-aB3dE5fG7hI9"),
    Thing(ROLE, "Network-administrator"),
    Thing(TABLE, "EventAggregator-Orders-aB3dE5fG7hI9"),
    Thing(PARAMETER, "/odyssey/of-the-sea"),
]


@pytest.mark.parametrize("stranger", STRANGERS, ids=str)
def test_nothing_of_strangers_is_called_left_or_gets_a_command(
    stranger: Thing, aws: Target, account: Account
) -> None:
    # GIVEN an account with something of a stranger's, beside what is left of ours
    ours = Thing(ROLE, "EventAggregator-ReaderRole07D5A14E-aB3dE5fG7hI9")
    account.things = {stranger, ours}

    # WHEN it is audited
    report = audit.audit(aws, TEMPLATES)

    # THEN ours is left, and the stranger's is at most named
    [left] = report.of(Verdict.LEFT)
    assert (left.thing, bool(left.removal)) == (ours, True)
    others = [row for row in report.rows if row is not left]
    assert {(row.thing, row.verdict) for row in others} <= {(stranger, Verdict.UNSURE)}
    assert [row.removal for row in others if row.removal] == []
    assert report.standing == []


def test_a_name_that_reminds_of_ours_is_shown_without_a_command(
    aws: Target, account: Account
) -> None:
    account.things = {
        Thing(ROLE, "Network-ResizerRole0A1B2C3D-aB3dE5fG7hI9"),
        Thing(PARAMETER, "/odyssey/of-the-sea"),
    }

    report = audit.audit(aws, TEMPLATES)

    assert {(row.verdict, row.why) for row in report.rows} == {
        (Verdict.UNSURE, "named like Network's, but it has no tag of ours"),
        (Verdict.UNSURE, "under /odyssey/, but it has no tag of ours"),
    }
    assert report.ok


def test_what_only_a_name_speaks_for_is_asked_for_its_tags(aws: Target, account: Account) -> None:
    ours, theirs = (Thing(ROLE, f"Network-{each}-aB3dE5fG7hI9") for each in ("Old", "Elses"))
    same = Thing(ROLE, "Network-LogRole4C0B2D1D-aB3dE5fG7hI9")
    account.things = {ours, theirs, same}
    account.asked = {ours: OURS, theirs: {"project": "another"}, same: {"project": "another"}}

    assert audited(aws) == {ours.name: (Verdict.LEFT, "tag project=aws-odyssey")}


def test_a_tag_of_one_resource_is_not_that_of_another_with_the_same_name(
    aws: Target, account: Account
) -> None:
    account.things = {
        Thing(TABLE, "orders"),
        Thing(QUEUE, f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/orders"),
        Thing(FUNCTION, "orders"),
        Thing(RULE, "ours|orders", id="orders", within="ours"),
        Thing(RULE, "theirs|orders", id="orders", within="theirs"),
        Thing(RULE, "default|orders", id="orders", within="default"),
    }
    account.tags = {arn("sqs", "orders"): OURS, arn("events", "rule/ours/orders"): OURS}

    report = audit.audit(aws, TEMPLATES)

    assert [row.thing for row in report.rows] == [
        Thing(RULE, "ours|orders"),
        Thing(QUEUE, f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/orders"),
    ]


def test_a_strangers_stack_that_is_called_as_ours_keeps_what_is_in_it(
    aws: Target, account: Account
) -> None:
    # GIVEN a stranger's stack that has even our logical ids
    function = "Network-Closer1A2B3C4D-aB3dE5fG7hI9"
    account.things = {
        Thing(STACK, "Network", tags={"project": "another"}),
        Thing(FUNCTION, function),
        Thing(LOGS, f"/aws/lambda/{function}"),
        Thing(LOGS, "/aws/lambda/Network-Closer1A2B3C4D-Z9Y8X7W6V5U4"),
    }
    account.in_stacks["Network"] = [(FUNCTION, function)]

    # THEN only what is not in it may be ours
    assert list(audited(aws)) == ["/aws/lambda/Network-Closer1A2B3C4D-Z9Y8X7W6V5U4"]
    assert audit.audit(aws, TEMPLATES).standing == []


def test_what_stands_and_its_parts_are_not_left(aws: Target, account: Account) -> None:
    account.things = {
        Thing(STACK, "Network", tags=OURS),
        Thing("AWS::EC2::VPC", "vpc-1", tags=OURS),
        Thing("AWS::EC2::NetworkInterface", "eni-1", within="vpc-1", tags=OURS),
        Thing("AWS::EC2::KeyPair", "mine", within="key-1", tags=OURS),
        Thing(PARAMETER, "/ec2/keypair/key-1", tags=OURS),
        Thing("AWS::ApiGateway::Account", "arn:aws:iam::1:role/log"),
        Thing(QUEUE, "http://127.0.0.1:1/1/Network-Queue1A2B3C4D-aB3dE5fG7hI9"),
    }
    account.in_stacks["Network"] = [
        ("AWS::EC2::VPC", "vpc-1"),
        ("AWS::EC2::KeyPair", "mine"),
        ("AWS::ApiGateway::Account", "ApiAccount"),
        (QUEUE, "http://localhost:1/1/Network-Queue1A2B3C4D-aB3dE5fG7hI9"),
    ]

    report = audit.audit(aws, TEMPLATES)

    assert report.rows == []
    assert report.standing == ["Network"]
    assert report.ok


def test_what_a_vpc_came_with_goes_with_it_and_is_left_without_it(
    aws: Target, account: Account
) -> None:
    account.things = {
        Thing("AWS::EC2::VPC", "vpc-1", tags=OURS),
        Thing("AWS::EC2::SecurityGroup", "sg-1", within="vpc-1", is_part=True, tags=OURS),
        Thing("AWS::EC2::SecurityGroup", "sg-2", within="vpc-2", is_part=True, tags=OURS),
    }

    assert sorted(audited(aws)) == ["sg-2", "vpc-1"]


def test_a_stack_that_could_not_be_deleted_is_left_and_stands_for_what_is_in_it(
    aws: Target, account: Account
) -> None:
    account.things = {
        Thing(STACK, "Network", state="DELETE_FAILED", tags=OURS),
        Thing("AWS::EC2::VPC", "vpc-1", tags=OURS),
    }
    account.in_stacks["Network"] = [("AWS::EC2::VPC", "vpc-1")]

    assert audited(aws) == {"Network": (Verdict.LEFT, "tag project=aws-odyssey; DELETE_FAILED")}


def test_only_prod_and_only_types_with_a_reason_are_kept_on_purpose(
    aws: Target, account: Account
) -> None:
    account.things = {
        Thing(TABLE, "of-prod", tags=PROD),
        Thing(TABLE, "of-dev", tags=OURS | {"stage": "dev"}),
        Thing("AWS::IAM::Role", "role-of-prod", tags=PROD),
    }

    found = {name: verdict for name, (verdict, _) in audited(aws).items()}

    assert found == {
        "of-prod": Verdict.KEPT,
        "of-dev": Verdict.LEFT,
        "role-of-prod": Verdict.LEFT,
    }


def test_a_key_that_is_going_is_no_leftover_and_costs_nothing(
    aws: Target, account: Account
) -> None:
    account.things = {Thing("AWS::KMS::Key", "1", state="goes on 2026-12-01", tags=PROD)}

    report = audit.audit(aws, TEMPLATES)

    [row] = report.rows
    assert (row.verdict, row.reason) == (Verdict.GOING, "goes on 2026-12-01")
    assert (row.costs, row.removal) == ("nothing", [])
    assert report.ok


def test_the_bootstrap_is_named_and_not_counted(aws: Target, account: Account) -> None:
    account.things = {Thing(STACK, "CDKToolkit"), Thing("AWS::S3::Bucket", "assets", tags=OURS)}
    account.in_stacks["CDKToolkit"] = [("AWS::S3::Bucket", "assets")]

    report = audit.audit(aws, TEMPLATES)

    assert report.rows == []
    assert report.bootstrap == ["AWS::S3::Bucket assets"]


def test_what_only_the_tagging_service_knows_is_left_but_not_what_is_gone(
    aws: Target, account: Account
) -> None:
    unknown, gone = arn("wisdom", "assistant/1"), arn("dynamodb", "table/gone")
    account.tags = {unknown: OURS, gone: OURS}

    assert list(audited(aws)) == [unknown]


def test_the_key_of_a_key_pair_that_is_gone_may_be_anybodys(aws: Target, account: Account) -> None:
    account.things = {
        Thing(PARAMETER, "/ec2/keypair/key-1"),
        Thing("AWS::EC2::KeyPair", "theirs", within="key-2"),
        Thing(PARAMETER, "/ec2/keypair/key-2"),
    }

    report = audit.audit(aws, TEMPLATES)

    assert [(row.thing.name, row.verdict) for row in report.rows] == [
        ("/ec2/keypair/key-1", Verdict.UNSURE)
    ]
    assert report.ok


def test_an_audit_that_could_not_see_everything_does_not_pass(
    aws: Target, account: Account
) -> None:
    account.refused = ["AWS::EC2::Volume: AccessDenied"]

    report = audit.audit(aws, TEMPLATES)

    assert report.rows == []
    assert not report.ok


def test_a_listing_from_before_tells_what_is_new_on_a_local_cloud(
    tmp_path: Path, account: Account
) -> None:
    to = local(tmp_path, 1.0)
    (tmp_path / "before.json").write_text(json.dumps({"cloud": 1.0, "things": [[TABLE, "old"]]}))
    account.things = {Thing(TABLE, "old"), Thing(TABLE, "anything")}

    assert audited(to) == {"anything": (Verdict.LEFT, "not there before the first deployment")}


@pytest.mark.parametrize("kept", ["{", json.dumps({"cloud": 2.0, "things": []})])
def test_a_listing_of_an_earlier_cloud_in_the_same_folder_does_not_count(
    kept: str, tmp_path: Path
) -> None:
    (tmp_path / "before.json").write_text(kept)
    assert audit.recorded_before(local(tmp_path, 1.0)) is None


def test_the_figures_say_how_many_were_tried_and_how_many_passed(
    aws: Target, account: Account
) -> None:
    account.things = {
        Thing(TABLE, "left", tags=OURS),
        Thing(TABLE, "kept", tags=PROD),
        Thing("AWS::KMS::Key", "going", state="goes on 2026-12-01", tags=OURS),
        Thing(PARAMETER, "/odyssey/unsure"),
        Thing(TABLE, "theirs"),
    }
    account.tags = {arn("wisdom", "assistant/1"): OURS}

    found = audit.figures(audit.audit(aws, TEMPLATES))

    assert found.pop("seconds") >= 0
    assert found.pop("listings") > 40
    assert (found.pop("tried"), found.pop("passed")) == (6, 4)
    assert found == {"refused": 0, "left": 2, "kept": 1, "going": 1, "unsure": 1}


def test_the_demos_deploy_every_stack_and_so_audit_every_stack() -> None:
    driven = {stack for flow in runner.FLOWS.values() for stack in flow.stacks}
    # All depend on Operations, which has no flow.
    assert driven | {"Operations"} == {name for name, _ in reviewed("dev")}


@pytest.mark.parametrize(
    ("there", "ok"),
    [
        (set(), True),
        ({Thing(TABLE, "before")}, True),
        ({Thing("AWS::KMS::Key", "1", state="goes on 2026-12-01")}, True),
        ({Thing(TABLE, "new")}, False),
        ({Thing(TABLE, "kept in prod", tags=PROD)}, False),
        ({Thing(STACK, "Network", tags=OURS)}, False),
    ],
)
def test_the_last_check_of_a_demo_is_the_audits(
    there: set[Thing],
    ok: bool,
    tmp_path: Path,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a demo's cloud, and what is there after its stacks are destroyed
    monkeypatch.setattr(cdk, "destroy", lambda *_: account.things.update(there))
    (tmp_path / "before.json").write_text(json.dumps({"cloud": 1.0, "things": [[TABLE, "before"]]}))
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {}}))
    checks = Checks("network", lambda _: None)

    # WHEN it destroys them
    runner.destroy(local(tmp_path, 1.0), tmp_path, [checks], lambda _: None)

    # THEN the check holds only if the audit finds nothing, and no stack
    assert checks.ok is ok
