"""Destroy leaves nothing of dev, and of prod what the table says; what others left is seen."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from odyssey_cli import audit, cdk, cloud, leftovers
from odyssey_cli import target as targets
from odyssey_cli.__main__ import app
from odyssey_cli.audit import Verdict
from odyssey_cli.policy.templates import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from odyssey_cli.audit import Report
    from odyssey_cli.policy.templates import Template
    from odyssey_cli.target import Target

STACKS = ["Operations", "EventAggregator"]
# Names as CloudFormation and Lambda make them.
IMPLICIT = "/aws/lambda/EventAggregator-ReaderFunction09EC41FB-CAFE0DA43D55"
ROLE = "EventAggregator-ReaderRole07D5A14E-63ACB3B83A86"
BUCKET = "a-bucket-of-somebody"
PARAMETER = "/ec2/keypair/key-0123456789abcdef0"


@dataclass
class Destroyed:
    """A cloud on which stacks were: what an audit said meanwhile, and where to audit now."""

    to: Target
    meanwhile: Report
    templates: list[Template]


@contextlib.contextmanager
def own_cloud(state: Path) -> Iterator[Target]:
    try:
        yield targets.at(cloud.start(state, with_parent=True))
    finally:
        cloud.stop(state)


@pytest.fixture(scope="module")
def destroyed(
    tmp_path_factory: pytest.TempPathFactory, local_cloud_is_installed: None
) -> Iterator[Destroyed]:
    with own_cloud(tmp_path_factory.mktemp("dev")) as to:
        assembly = cdk.synthesize(to)
        cdk.bootstrap(to)
        audit.record_before(to)
        cdk.deploy(to, assembly, STACKS)
        templates = load(assembly)
        meanwhile = audit.audit(to, templates)
        cdk.destroy(to, assembly, [])
        yield Destroyed(to, meanwhile, templates)


@pytest.fixture(params=["with a listing from before", "by tags and names"])
def way(request: pytest.FixtureRequest, destroyed: Destroyed) -> Iterator[str]:
    """Both ways to know what is ours; the second is AWS's."""
    file = destroyed.to.state / "before.json"
    aside = file.with_suffix(".aside")
    if request.param == "by tags and names":
        file.rename(aside)
    yield request.param
    if aside.exists():
        aside.rename(file)


@contextlib.contextmanager
def leftovers_of_somebody(to: Target) -> Iterator[None]:
    """Leave what stacks leave in practice, and remove it again."""
    logs, s3, ssm, iam = (to.client(name) for name in ("logs", "s3", "ssm", "iam"))
    logs.create_log_group(logGroupName=IMPLICIT)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_tagging(
        Bucket=BUCKET, Tagging={"TagSet": [{"Key": "project", "Value": "aws-odyssey"}]}
    )
    s3.put_object(Bucket=BUCKET, Key="left", Body=b"")
    ssm.put_parameter(Name=PARAMETER, Value="not a key", Type="SecureString")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Statement": []}))
    try:
        yield
    finally:
        logs.delete_log_group(logGroupName=IMPLICIT)
        s3.delete_object(Bucket=BUCKET, Key="left")
        s3.delete_bucket(Bucket=BUCKET)
        ssm.delete_parameter(Name=PARAMETER)
        iam.delete_role(RoleName=ROLE)


def test_what_stands_is_not_left(destroyed: Destroyed) -> None:
    report = destroyed.meanwhile
    assert report.standing == sorted(STACKS)
    assert report.rows == []


def test_destroy_leaves_nothing_of_dev(destroyed: Destroyed, way: str) -> None:
    report = audit.audit(destroyed.to, destroyed.templates)
    assert report.with_before is (way == "with a listing from before")
    assert report.standing == []
    assert report.rows == []
    assert report.ok
    # The bootstrap is named, and not counted.
    assert any("cdk-hnb659fds-assets" in each for each in report.bootstrap)


def test_each_kind_of_leftover_is_found_and_named(destroyed: Destroyed, way: str) -> None:
    with leftovers_of_somebody(destroyed.to):
        report = audit.audit(destroyed.to, destroyed.templates)
    found = {row.thing.name: row for row in report.rows}
    assert not report.ok
    assert set(found) == {IMPLICIT, ROLE, BUCKET, PARAMETER}
    assert "not empty" in found[BUCKET].why
    assert found[IMPLICIT].removal == [
        f"aws --endpoint-url {destroyed.to.endpoint} --region us-east-1 "
        f"logs delete-log-group --log-group-name {IMPLICIT}"
    ]
    parameter = found.pop(PARAMETER)
    assert {row.verdict for row in found.values()} == {Verdict.LEFT}
    # Without the listing from before, nothing tells whose a key was.
    is_known = way == "with a listing from before"
    assert parameter.verdict is (Verdict.LEFT if is_known else Verdict.UNSURE)


def test_the_command_exits_with_1_until_nothing_is_left(
    destroyed: Destroyed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odyssey_cli.commands.audit.resolve", lambda *_, **__: destroyed.to)
    with leftovers_of_somebody(destroyed.to):
        failed = CliRunner().invoke(app, ["audit", "--json"])
        shown = CliRunner().invoke(app, ["audit"])
    passed = CliRunner().invoke(app, ["audit"])

    assert failed.exit_code == shown.exit_code == 1
    told = json.loads(failed.stdout)
    assert {each["name"] for each in told["found"]} == {IMPLICIT, ROLE, BUCKET, PARAMETER}
    assert told["figures"]["left"] == told["figures"]["tried"] - told["figures"]["passed"] == 4
    assert f"iam delete-role --role-name {ROLE}" in shown.stdout
    assert passed.exit_code == 0
    assert "0 left, 0 kept on purpose" in passed.stdout
    tried, ok = re.findall(r"(\d+) cases tried, (\d+) passed, [\d.]+ s\n$", passed.stdout)[0]
    assert int(tried) == int(ok) > 0


def test_prod_leaves_what_the_table_says_and_nothing_else(tmp_path: Path) -> None:
    with own_cloud(tmp_path) as to:
        # GIVEN all of prod, and its protections lifted as a person would
        assembly = cdk.synthesize(to, context={"stage": "prod"})
        names = cdk.stacks(assembly)
        cdk.bootstrap(to)
        audit.record_before(to)
        cdk.deploy(to, assembly, [])
        formation, ec2 = to.client("cloudformation"), to.client("ec2")
        for name in names:
            formation.update_termination_protection(
                StackName=name, EnableTerminationProtection=False
            )
        for group in ec2.describe_instances()["Reservations"]:
            for host in group["Instances"]:
                ec2.modify_instance_attribute(
                    InstanceId=host["InstanceId"], DisableApiTermination={"Value": False}
                )

        # WHEN it is destroyed
        cdk.destroy(to, assembly, [])
        report = audit.audit(to, load(assembly))

    # THEN what its templates retain is there, kept on purpose, and nothing else
    retained = Counter(
        resource["Type"]
        for name in names
        for resource in json.loads((assembly / f"{name}.template.json").read_text())[
            "Resources"
        ].values()
        if resource.get("DeletionPolicy") == "Retain"
    )
    assert set(retained) == set(leftovers.KEPT)
    # A part of its group, which is listed.
    del retained["AWS::Logs::LogStream"]
    assert Counter(row.thing.type for row in report.rows) == retained
    assert {row.verdict for row in report.rows} == {Verdict.KEPT}
    assert report.ok
