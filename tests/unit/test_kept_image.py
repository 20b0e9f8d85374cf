"""A deployed host's image is kept where the CDK finds it, and forgotten with the host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli import kept_image, paths
from odyssey_cli.cloud import Cloud
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import Target
from odyssey_constructs.images import kept_as
from proofs.fakes.dynamodb import refusal

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT, REGION = "123456789012", "eu-north-1"
HOST = "i-0123456789abcdef0"
OLD, NEW = "ami-0123456789abcdef0", "ami-0abcdef1234567890"
KEY = kept_as(ACCOUNT, REGION, "arm64")
# What others keep in the same file: the CDK, and this for other accounts, regions or a longer name.
OTHERS = {
    "availability-zones:account=123456789012:region=eu-north-1": ["eu-north-1a"],
    "stage": "prod",
    kept_as("210987654321", REGION, "arm64"): OLD,
    kept_as(ACCOUNT, "us-east-1", "arm64"): OLD,
}


class Deployed:
    """CloudFormation with the stack, or without, and EC2 with its host."""

    def __init__(self) -> None:
        self.outputs: dict[str, str] | None = {"HostId": HOST, "VpcId": "vpc-1"}
        self.host: dict[str, Any] = {
            "InstanceId": HOST,
            "ImageId": NEW,
            "Architecture": "arm64",
            "State": {"Name": "running"},
        }
        self.refused: Exception | None = None

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        assert StackName == "Network"
        if self.outputs is None:
            error = refusal("ValidationError", "DescribeStacks")
            error.args = ("Stack with id Network does not exist",)
            raise error
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        # A stack that has none has no such field.
        return {"Stacks": [{"Outputs": outputs} if outputs else {}]}

    def describe_instances(self, *, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        assert InstanceIds == [HOST]
        if self.refused is not None:
            raise self.refused
        return {"Reservations": [{"Instances": [self.host]}]}


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    made = Deployed()
    monkeypatch.setattr(Target, "client", lambda *_: made)
    return made


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """An AWS account, and a project in a folder of its own."""
    monkeypatch.setattr(paths, "ROOT", tmp_path / "project")
    (tmp_path / "project").mkdir()
    (tmp_path / "state").mkdir()
    return Target({"AWS_REGION": REGION}, tmp_path / "state", None, account=ACCOUNT)


def file_of(to: Target) -> Path:
    return (to.state if to.local else paths.ROOT) / "cdk.context.json"


def hold(to: Target, held: object) -> None:
    file_of(to).write_text(json.dumps(held), encoding="utf-8")


def held(to: Target) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file_of(to).read_text(encoding="utf-8"))
    return found


def test_the_image_of_a_deployed_host_is_kept(aws: Target, deployed: Deployed) -> None:
    kept_image.remember(aws)
    assert held(aws) == kept_image.context(aws) == {KEY: NEW}


def test_what_else_the_file_holds_stays(aws: Target, deployed: Deployed) -> None:
    hold(aws, OTHERS | {KEY: OLD})
    kept_image.remember(aws)
    assert held(aws) == OTHERS | {KEY: NEW}


def test_a_host_of_another_architecture_takes_the_place_of_the_former(
    aws: Target, deployed: Deployed
) -> None:
    hold(aws, OTHERS | {KEY: OLD})
    deployed.host["Architecture"] = "x86_64"
    kept_image.remember(aws)
    assert held(aws) == OTHERS | {kept_as(ACCOUNT, REGION, "x86_64"): NEW}


def test_the_image_is_kept_for_the_host_s_own_architecture_not_for_the_setting(
    aws: Target, deployed: Deployed
) -> None:
    deployed.host["Architecture"] = "x86_64"
    kept_image.remember(aws)
    assert held(aws) == {kept_as(ACCOUNT, REGION, "x86_64"): NEW}


def without_stack(deployed: Deployed) -> None:
    deployed.outputs = None


def half_deployed(deployed: Deployed) -> None:
    deployed.outputs = {}


def of_another_version(deployed: Deployed) -> None:
    deployed.outputs = {"VpcId": "vpc-1"}


def terminated(deployed: Deployed) -> None:
    deployed.host["State"] = {"Name": "terminated"}


def forgotten_by_ec2(deployed: Deployed) -> None:
    deployed.refused = refusal("InvalidInstanceID.NotFound", "DescribeInstances")


GONE = [without_stack, half_deployed, of_another_version, terminated, forgotten_by_ec2]


@pytest.mark.parametrize("gone", GONE)
def test_without_a_host_its_image_is_forgotten_and_nothing_else(
    aws: Target, deployed: Deployed, gone: Any
) -> None:
    hold(aws, OTHERS | {KEY: OLD})
    gone(deployed)
    kept_image.remember(aws)
    assert held(aws) == OTHERS


@pytest.mark.parametrize("gone", GONE)
def test_a_file_that_held_nothing_else_goes(aws: Target, deployed: Deployed, gone: Any) -> None:
    hold(aws, {KEY: OLD})
    gone(deployed)
    kept_image.remember(aws)
    assert not file_of(aws).exists()


def test_without_a_host_and_without_a_file_none_is_made(aws: Target, deployed: Deployed) -> None:
    deployed.outputs = None
    kept_image.remember(aws)
    assert list(paths.ROOT.iterdir()) == []
    assert kept_image.context(aws) == {}


@pytest.mark.parametrize("state", ["pending", "running", "stopping", "stopped"])
def test_a_host_that_can_be_started_again_keeps_its_image(
    aws: Target, deployed: Deployed, state: str
) -> None:
    deployed.host["State"] = {"Name": state}
    kept_image.remember(aws)
    assert held(aws) == {KEY: NEW}


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "RequestLimitExceeded"])
def test_when_ec2_refuses_to_answer_nothing_is_forgotten(
    aws: Target, deployed: Deployed, code: str
) -> None:
    hold(aws, {KEY: OLD})
    deployed.refused = refusal(code, "DescribeInstances")
    with pytest.raises(Exception, match=code):
        kept_image.remember(aws)
    assert held(aws) == {KEY: OLD}


def test_a_file_that_is_right_is_not_touched(aws: Target, deployed: Deployed) -> None:
    # GIVEN a file in somebody's own layout
    text = f'{{"{KEY}":   "{NEW}"}}'
    file_of(aws).write_text(text, encoding="utf-8")
    # WHEN
    kept_image.remember(aws)
    # THEN a team's repository shows no change
    assert file_of(aws).read_text(encoding="utf-8") == text


def test_whoever_reads_the_file_meanwhile_gets_the_old_one_or_the_new_one(
    aws: Target, deployed: Deployed
) -> None:
    # GIVEN a reader that has opened it
    hold(aws, OTHERS)
    with file_of(aws).open(encoding="utf-8") as reader:
        # WHEN it is written
        kept_image.remember(aws)
        # THEN the reader still has all of the old one, and nothing but the new one is left
        assert json.load(reader) == OTHERS
    assert held(aws) == OTHERS | {KEY: NEW}
    assert [each.name for each in paths.ROOT.iterdir()] == ["cdk.context.json"]


def test_the_file_ends_a_line_and_has_its_keys_in_order(aws: Target, deployed: Deployed) -> None:
    hold(aws, OTHERS)
    kept_image.remember(aws)
    text = file_of(aws).read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert list(held(aws)) == sorted(held(aws))


def test_a_local_cloud_has_a_file_of_its_own_which_goes_with_it(
    aws: Target, deployed: Deployed
) -> None:
    # GIVEN a note of the same account on AWS
    hold(aws, {KEY: OLD})
    running = Cloud(
        port=4566,
        endpoint="http://127.0.0.1:4566",
        pid=1,
        state=aws.state,
        started_at=0,
        clock_scale=20,
    )
    local = Target({"AWS_REGION": REGION}, aws.state, running, account=ACCOUNT)
    assert kept_image.context(local) == {}
    # WHEN
    kept_image.remember(local)
    # THEN
    assert held(local) == kept_image.context(local) == {KEY: NEW}
    assert held(aws) == {KEY: OLD}


@pytest.mark.parametrize(
    "text", ["", "{", "{'a': 1}", "not json", "\udcff", "[]", "null", '"text"']
)
def test_a_file_that_holds_no_json_object_is_named_and_left_alone(
    aws: Target, deployed: Deployed, text: str
) -> None:
    content = text.encode("utf-8", errors="surrogateescape")
    file_of(aws).write_bytes(content)
    for read in (kept_image.context, kept_image.remember):
        with pytest.raises(OdysseyError) as refused:
            read(aws)
        assert refused.value.problem.startswith(f"{file_of(aws)} cannot be read: ")
        assert refused.value.remedy == "Mend it, or delete it."
    assert file_of(aws).read_bytes() == content
