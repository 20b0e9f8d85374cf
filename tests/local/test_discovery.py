"""Discovery's commands as processes on a local cloud, with IAM enforced: killed, ended, refused.

What the flow does when nothing of that happens is what the demo verifies (test_demo.py).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from odyssey_cli import failures, paths
from odyssey_cli.breaking import denied
from odyssey_cli.demo.waiting import wait_for_failures
from odyssey_cli.flows.discovery import STACK, documents, settings
from odyssey_cli.flows.discovery.listen import Seen, Service, Stop
from odyssey_cli.flows.discovery.submit import Outcome, Script
from tests.local.sources import Bench, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from odyssey_cli.target import Target

# The command line, on the tests' cloud instead of the user's.
PROGRAM = """
import pathlib, sys
from odyssey_cli import cloud
cloud.LOCAL_STATE = pathlib.Path(sys.argv.pop(1))
from odyssey_cli.__main__ import main
sys.exit(main())
"""
Start = "Callable[..., subprocess.Popen[str]]"


@pytest.fixture
def outputs(deployed: Target) -> dict[str, str]:
    """The stack's outputs; its queues are empty, and its updater is idle."""
    found = deployed.outputs(STACK)
    sqs = deployed.client("sqs")
    # An updater at work on what an earlier test uploaded would announce it after the purge.
    bench = Bench(deployed)
    assert eventually(lambda: bench.count(found["UploadedQueueUrl"]), 0, seconds=30) == 0
    failed = [queue.url for queue in failures.discover(deployed, STACK)]
    for url in [found["UpdatedQueueUrl"], *failed]:
        sqs.purge_queue(QueueUrl=url)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the commands run: a path with a space."""
    made = tmp_path / "a folder"
    made.mkdir()
    return made


@pytest.fixture
def odyssey(outputs: dict[str, str], cloud_state: Path, folder: Path) -> Start:  # type: ignore[valid-type]
    """Starts `odyssey …` in the folder."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.ROOT), "COLUMNS": "200"}
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(cloud_state), *arguments],
            cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return start


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """Return what a process said until it ended as expected."""
    said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said[1]
    return said


def stored(target: Target, outputs: dict[str, str], ids: set[str]) -> tuple[int, int]:
    """Return how many of these ids have an item, and how many versions of objects they have."""
    items = target.client("dynamodb").get_paginator("scan")
    objects = target.client("s3").get_paginator("list_object_versions")
    return (
        sum(
            item["id"]["S"] in ids
            for page in items.paginate(TableName=outputs["ItemsTable"], ConsistentRead=True)
            for item in page["Items"]
        ),
        sum(
            each["Key"].partition("/")[0] in ids
            for page in objects.paginate(Bucket=outputs["FilesBucket"])
            for each in page.get("Versions", [])
        ),
    )


def ids_in(folder: Path) -> set[str]:
    """Return the ids of the documents in a folder."""
    return {json.loads(file.read_bytes())["id"] for file in folder.glob("*.json")}


def test_a_file_goes_there_and_back_with_settings_from_the_environment_file(
    odyssey: Any, outputs: dict[str, str], folder: Path
) -> None:
    # GIVEN everything the programs need in .env, so that no stack is asked
    (folder / ".env").write_text(
        f"DISCOVERY_TABLE={outputs['ItemsTable']}\n"
        f"DISCOVERY_BUCKET={outputs['FilesBucket']}\n"
        f"DISCOVERY_UPLOADED_QUEUE={outputs['UploadedQueueUrl']}\n"
        f"DISCOVERY_UPDATED_QUEUE={outputs['UpdatedQueueUrl']}\n"
        f"DISCOVERY_SCRIPT_ROLE_ARN={outputs['ScriptRoleArn']}\n"
        f"DISCOVERY_SERVICE_ROLE_ARN={outputs['ServiceRoleArn']}\n"
    )
    # WHEN
    ended(odyssey("discovery", "submit", "laptop.json", "--model", "Åsa café 😀"))
    answer, said = ended(odyssey("discovery", "listen", "--max", "1", "--out", "out", "--json"))
    # THEN
    [item] = ids_in(folder)
    [line] = [json.loads(each) for each in answer.splitlines()]
    assert (line["id"], line["ok"], line["status"], line["version"]) == (item, True, "updated", 2)
    assert "1 item verified" in said
    saved = folder / "out" / item / "laptop.json"
    assert saved.read_bytes() == (folder / "laptop.json").read_bytes()
    # AND it can be shown
    shown = json.loads(ended(odyssey("discovery", "show", item, "--json"))[0])
    assert (shown["agrees"], shown["model"]) == (True, "Åsa café 😀")


def test_what_cannot_be_is_refused_in_two_sentences_and_nothing_is_sent(
    odyssey: Any, folder: Path, outputs: dict[str, str], deployed: Target
) -> None:
    (folder / "other.json").write_text("{}")
    for name, why in {
        "a/b.json": "has a separator",
        " ": "name is empty",
        "other.json": "was not written by submit",
    }.items():
        _, said = ended(odyssey("discovery", "submit", name), code=1)
        assert why in said
    _, said = ended(odyssey("discovery", "submit", "a.json", "--dir", "nowhere"), code=1)
    assert "nowhere/a.json cannot be written: there is no folder nowhere." in said
    assert sorted(each.name for each in folder.iterdir()) == ["other.json"]
    attributes = deployed.client("sqs").get_queue_attributes(
        QueueUrl=outputs["UploadedQueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"


def test_a_script_that_was_killed_is_finished_by_running_it_again(
    odyssey: Any, folder: Path, outputs: dict[str, str], deployed: Target
) -> None:
    # GIVEN a script that is killed in the midst of its work
    process = odyssey("discovery", "submit", "laptop.json", "--count", "100", "--json")
    process.stdout.readline()
    process.kill()
    process.communicate()
    ids = ids_in(folder)
    assert len(ids) == 100
    assert stored(deployed, outputs, ids)[1] < 100
    # WHEN
    answer, _ = ended(odyssey("discovery", "submit", "laptop.json", "--count", "100", "--json"))
    verified, _ = ended(odyssey("discovery", "listen", "--max", "100", "--json"))
    # THEN what was missing is done, and nothing is there twice
    assert ids_in(folder) == ids
    outcomes = {json.loads(each)["outcome"] for each in answer.splitlines()}
    assert outcomes <= {Outcome.FINISHED, Outcome.KNOWN}
    assert stored(deployed, outputs, ids) == (100, 100)
    assert {json.loads(each)["id"] for each in verified.splitlines()} == ids


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_a_service_that_waits_ends_at_once_when_it_is_told_to(odyssey: Any, number: int) -> None:
    process = odyssey("discovery", "listen")
    ended(odyssey("discovery", "submit", "laptop.json"))
    assert "laptop.json" in process.stdout.readline()
    process.send_signal(number)
    began = time.monotonic()
    _, said = ended(process)
    assert time.monotonic() - began < 5
    assert "1 item verified" in said


def test_a_service_that_works_finishes_the_message_in_hand_and_gives_the_rest_back(
    odyssey: Any, folder: Path
) -> None:
    # GIVEN many items, and a service in the midst of them
    ended(odyssey("discovery", "submit", "laptop.json", "--count", "60"))
    process = odyssey("discovery", "listen", "--json")
    first = json.loads(process.stdout.readline())["id"]
    process.send_signal(signal.SIGTERM)
    answer, _ = ended(process)
    seen = {first} | {json.loads(each)["id"] for each in answer.splitlines()}
    # WHEN another one goes on
    answer, _ = ended(odyssey("discovery", "listen", "--idle", "3", "--json"))
    # THEN it gets all that the first has not verified, and at once
    rest = {json.loads(each)["id"] for each in answer.splitlines()}
    assert seen | rest == ids_in(folder)
    assert not seen & rest


def test_what_an_updater_without_permission_gave_up_is_redriven_and_verified(
    odyssey: Any, deployed: Target, outputs: dict[str, str], folder: Path
) -> None:
    # GIVEN an updater that may not update, and a queue that shows its messages again soon
    sqs = deployed.client("sqs")
    queue = {"QueueUrl": outputs["UploadedQueueUrl"]}
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "20"})
    try:
        with denied(deployed, STACK, "Updater", "dynamodb:UpdateItem"):
            ended(odyssey("discovery", "submit", "laptop.json", "--count", "5"))
            dead = wait_for_failures(
                deployed, STACK, failures.Kind.DEAD_LETTERS, lambda found: len(found) == 5
            )
            failures.release(deployed, dead)
    finally:
        sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "180"})
    assert len(dead) == 5
    answer, _ = ended(odyssey("discovery", "failures", "--json"))
    assert [each["queue"] for each in json.loads(answer)] == ["dead letters"] * 5
    # WHEN
    ended(odyssey("redrive", STACK))
    answer, _ = ended(odyssey("discovery", "listen", "--max", "5", "--json"))
    # THEN
    lines = [json.loads(each) for each in answer.splitlines()]
    assert {each["id"] for each in lines} == ids_in(folder)
    assert {each["version"] for each in lines} == {2}


@pytest.mark.parametrize("action", ["dynamodb:PutItem", "s3:PutObject", "sqs:SendMessage"])
def test_the_script_needs_every_permission_it_has(
    deployed: Target, outputs: dict[str, str], folder: Path, action: str
) -> None:
    [submission] = [documents.write(folder, "laptop.json", documents.Wanted())]
    with denied(deployed, STACK, "Script", action):
        script = Script.at(settings.for_script(deployed, settings.Given()))
        [done] = script.submit([submission])
    assert done.outcome is Outcome.FAILED
    assert "AccessDenied" in done.error
    # AND with it, the same submission is finished
    [done] = script.submit([submission])
    assert done.outcome is Outcome.SUBMITTED


@pytest.mark.parametrize(
    "action",
    [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "dynamodb:BatchGetItem",
        "s3:GetObject",
    ],
)
def test_the_service_needs_every_permission_it_has(
    deployed: Target, outputs: dict[str, str], folder: Path, action: str
) -> None:
    # GIVEN an item to verify, and a message that must be put back
    script = Script.at(settings.for_script(deployed, settings.Given()))
    submission = documents.write(folder, "laptop.json", documents.Wanted())
    assert [each.outcome for each in script.submit([submission])] == [Outcome.SUBMITTED]
    deployed.client("sqs").send_message(QueueUrl=outputs["UpdatedQueueUrl"], MessageBody="{}")
    service = Service.at(settings.for_service(deployed, settings.Given()))
    verified: set[str] = set()
    problems: list[str] = []

    def run(until: str) -> None:
        """Process messages until an item is verified or something is refused."""
        stop = Stop()

        def see(seen: Seen) -> None:
            problems.append(seen.problem)
            if seen.verified:
                verified.add(seen.name)
            stop.requested = until in verified or "AccessDenied" in seen.problem

        try:
            service.run(stop=stop, tell=see, idle=5)
        except ClientError as error:
            problems.append(str(error))

    # WHEN one permission is missing, THEN that shows
    with denied(deployed, STACK, "Service", action):
        run(until=submission.document.id)
    assert any("AccessDenied" in each for each in problems)
    # and with it, this item is verified, if that was not before what was refused, and the next
    following = documents.write(folder, "following.json", documents.Wanted())
    assert [each.outcome for each in script.submit([following])] == [Outcome.SUBMITTED]
    run(until=following.document.id)
    if submission.document.id not in verified:
        run(until=submission.document.id)
    assert verified == {submission.document.id, following.document.id}


def test_a_member_of_the_group_takes_the_default_way_in(
    deployed: Target, outputs: dict[str, str], folder: Path
) -> None:
    # GIVEN somebody in the stack's group, with an access key of their own
    resources = deployed.client("cloudformation").describe_stack_resources(StackName=STACK)
    [group] = [
        each["PhysicalResourceId"]
        for each in resources["StackResources"]
        if each["ResourceType"] == "AWS::IAM::Group"
    ]
    iam = deployed.client("iam")
    iam.create_user(UserName="somebody")
    key = iam.create_access_key(UserName="somebody")["AccessKey"]
    them = replace(
        deployed,
        environment=deployed.environment
        | {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        },
    )
    submission = documents.write(folder, "laptop.json", documents.Wanted())
    try:
        # WHEN they are not in it yet, THEN they cannot even find the stack
        with pytest.raises(ClientError, match="AccessDenied"):
            settings.for_script(them, settings.Given())
        # WHEN they are, THEN both programs work for them
        iam.add_user_to_group(GroupName=group, UserName="somebody")
        script = Script.at(settings.for_script(them, settings.Given()))
        assert [each.outcome for each in script.submit([submission])] == [Outcome.SUBMITTED]
        service = Service.at(settings.for_service(them, settings.Given()))
        totals = service.run(stop=Stop(), tell=lambda _: None, most=1)
        assert totals.verified == {submission.document.id}
        # but nothing else does
        with pytest.raises(ClientError, match="AccessDenied"):
            them.client("s3").list_objects_v2(Bucket=outputs["FilesBucket"])
    finally:
        with suppress(ClientError):
            iam.remove_user_from_group(GroupName=group, UserName="somebody")
        iam.delete_access_key(UserName="somebody", AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName="somebody")
