"""What the delivery stream gives up or cannot write, who is told, and how it comes back.

What it does when nothing is missing is what the demo verifies (test_demo.py).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ingest.records import SOURCE
from odyssey_cli import paths
from odyssey_cli.breaking import denied
from odyssey_cli.failures import Kind, Result
from odyssey_cli.flows.ingest import STACK
from odyssey_cli.flows.ingest.reprocess import Report
from odyssey_cli.flows.ingest.verify import Problem
from tests.local.intake import (
    BY_QUEUE,
    BY_STREAM,
    NOWHERE,
    PATIENCE,
    Intake,
    Where,
    event,
)
from tests.local.sources import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.target import Target

# What Firehose calls a record that the function rejected, one of a call that failed as a whole,
# and one of a function that it may not call.
REJECTED, FAILED = "Lambda.ProcessingFailedStatus", "Lambda.FunctionError"
NOT_INVOKED, NOT_WRITTEN = "Lambda.InvokeAccessDenied", "S3.AccessDenied"
# The command line, on the tests' cloud instead of the user's.
PROGRAM = """
import pathlib, sys
from odyssey_cli import cloud
cloud.LOCAL_STATE = pathlib.Path(sys.argv.pop(1))
from odyssey_cli.__main__ import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def intake(deployed: Target) -> Iterator[Intake]:
    """The intake with short waits: how long they are is no matter here."""
    with Intake(deployed).impatient() as intake:
        yield intake


@pytest.fixture(autouse=True)
def nothing_given_up(intake: Intake) -> None:
    intake.forget_rejects()
    bucket = intake.intake["LakeBucket"]
    for key in intake.given_up():
        intake.target.client("s3").delete_object(Bucket=bucket, Key=key)


def odyssey(intake: Intake, *arguments: str) -> str:
    """Run `odyssey …`; return what it says."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.ROOT), "COLUMNS": "200"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(intake.target.state), *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran
    assert ran.stderr == ""
    return ran.stdout


def logged(intake: Intake) -> list[str]:
    """Return the errors in the stream's log."""
    return [each["errorCode"] for each in intake.said(STACK, "StreamErrors")]


def test_events_that_may_not_be_queued_are_rejected_with_the_cause_and_redriven(
    intake: Intake,
) -> None:
    # GIVEN a transformer that may not send to the FIFO queue
    made = event()
    queue = intake.arn(intake.intake["EventsQueueUrl"])
    with denied(intake.target, STACK, "Transformer", "sqs:SendMessage", on=queue):
        # WHEN
        intake.put(made)
        # THEN the record is in the error prefix, and its cause in the rejects queue
        assert eventually(lambda: intake.codes(made.id), [REJECTED], PATIENCE) == [REJECTED]
    cause = "The queue did not take the event: AccessDenied."
    assert intake.causes() == [cause]
    assert intake.where(made) == [NOWHERE]
    # AND redriven with the permission, the event is everywhere
    assert [each.result for each in intake.redrive(STACK, Kind.REJECTS)] == [Result.DONE]
    assert intake.all_are(BY_STREAM, made)
    assert intake.is_clean()


def test_a_batch_of_which_nobody_could_be_told_is_given_up_and_reprocessed(
    intake: Intake,
) -> None:
    # GIVEN a transformer that may not send to the rejects queue, and a stream that may not log
    made = event()
    fields = json.loads(event(beside=made.id).record())
    unnamed = json.dumps({name: each for name, each in fields.items() if name != "id"}).encode()
    bad = json.dumps({"id": f"bad-{made.id}"}).encode()
    rejects = intake.arn(intake.intake["RejectsQueueUrl"])
    before = logged(intake)
    with (
        denied(intake.target, STACK, "Transformer", "sqs:SendMessage", on=rejects),
        denied(intake.target, STACK, "Stream", "logs:PutLogEvents"),
    ):
        # WHEN two good records come, one of them without an id, and a bad one
        intake.put(made, unnamed, bad)
        # THEN the function fails as often as Firehose tries, and all are in the error prefix
        all_failed = [FAILED] * 3
        assert eventually(lambda: intake.codes(made.id), all_failed, PATIENCE) == all_failed
    [documents] = intake.given_up().values()
    assert {each["attemptsMade"] for each in documents} == {4}
    assert intake.causes() == []
    # AND the good ones, which were queued, count, so that they are not missing
    entity = f"{fields['type']}/{fields['subject']}"
    assert eventually(lambda: len(intake.stored(entity)), 1, PATIENCE) == 1
    [item] = intake.stored(entity)
    other = replace(made, id=item["event"]["M"]["id"]["S"], subject=fields["subject"])
    assert intake.all_are(BY_QUEUE, made, other)
    assert intake.is_clean()
    # AND the stream's log says nothing, but the cloud's says why
    assert logged(intake) == before
    assert "may not logs:PutLogEvents" in (intake.target.state / "cloud.log").read_text()

    # WHEN they are reprocessed with the permissions
    said = odyssey(intake, "ingest", "reprocess")
    # THEN the good ones are in the lake as well, as the same events, and the bad one is rejected
    assert said == "3 records put into the stream again.\n"
    assert intake.all_are(BY_STREAM, made, other)
    assert len(intake.stored(entity)) == 1
    assert eventually(lambda: intake.codes(made.id), [REJECTED], PATIENCE) == [REJECTED]
    assert intake.causes() == ["The event has no text 'type'."]
    # AND nothing is left to be done
    assert intake.reprocess() == Report(rejects=1)
    assert intake.is_clean()


def test_what_a_stream_that_may_not_invoke_gave_up_is_logged_and_brought_back_once(
    intake: Intake,
) -> None:
    # GIVEN a stream that may not invoke the transformer
    made = [event() for _ in range(3)]
    before = logged(intake).count(NOT_INVOKED)
    with denied(intake.target, STACK, "Stream", "lambda:InvokeFunction"):
        # WHEN events come
        intake.put(*made)
        # THEN they are in the error prefix, and in the stream's log is why
        codes = [NOT_INVOKED]
        assert eventually(lambda: intake.codes(made[2].id), codes, PATIENCE) == codes
    assert logged(intake).count(NOT_INVOKED) == before + 1
    said = [e for e in intake.said(STACK, "StreamErrors") if e["errorCode"] == NOT_INVOKED]
    assert said[-1]["message"].startswith("Access was denied.")
    assert set(intake.where(*made)) == {NOWHERE}

    # WHEN they are brought back by somebody who dies before taking them out, and once more
    [(key, documents)] = intake.given_up().items()
    assert intake.reprocess() == Report(brought_back=3)
    assert intake.given_up() == {}
    assert intake.all_are(BY_STREAM, *made)
    intake.target.client("s3").put_object(
        Bucket=intake.intake["LakeBucket"],
        Key=key,
        Body="".join(f"{json.dumps(each)}\n" for each in documents).encode(),
    )
    assert intake.reprocess() == Report(brought_back=3)
    # THEN the lake has them twice, store and consumer once, and that is as it should be
    assert intake.all_are(Where(2, 1, 1), *made)
    assert intake.is_clean()
    assert intake.given_up() == {}
    # AND all that was ever put is what was sent
    assert [base64.b64decode(each["rawData"]) for each in documents] == [
        each.record() for each in made
    ]


def test_what_may_not_be_written_is_found_missing_and_written_when_it_may(intake: Intake) -> None:
    # GIVEN a stream that may not write to the lake
    made = event()
    with denied(intake.target, STACK, "Stream", "s3:PutObject"):
        # WHEN an event comes
        intake.put(made)
        # THEN it counts, its line is missing, and the log says why
        assert intake.all_are(BY_QUEUE, made)
        assert eventually(lambda: NOT_WRITTEN in logged(intake), True, PATIENCE)
        assert f"{SOURCE} {made.id}" in intake.problems()[Problem.NOT_IN_LAKE]
    # AND with the permission, Firehose has not lost it
    assert intake.all_are(BY_STREAM, made)
    assert intake.is_clean()
