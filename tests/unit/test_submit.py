"""The script stores item and object once, announces, and goes on where it was stopped."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from odyssey_cli.flows.discovery.documents import Submission
from odyssey_cli.flows.discovery.submit import Outcome, Script, Submitted
from proofs.fakes.dynamodb import Call, FakeDynamoDB, refusal
from proofs.fakes.s3 import OWNER, FakeS3
from proofs.fakes.sqs import FakeSQS
from tests.discovery import TEXT, item, item_id, submission, uploaded

QUEUE = "https://sqs/uploaded"


class Cloud:
    """What the script uses, and a script that uses it."""

    def __init__(self) -> None:
        self.dynamodb = FakeDynamoDB.with_tables("items")
        self.s3 = FakeS3.with_buckets(self.dynamodb, "files")
        self.sqs = FakeSQS(self.dynamodb)
        clients: Any = {"dynamodb": self.dynamodb, "s3": self.s3, "sqs": self.sqs}
        self.script = Script("items", "files", QUEUE, OWNER, **clients, tries=lambda: range(3))

    def submit(self, *numbers: int, **options: Any) -> list[Submitted]:
        return list(self.script.submit([submission(n) for n in numbers], **options))

    @property
    def announced(self) -> list[str]:
        return [each["MessageBody"] for each in self.sqs.queues.get(QUEUE, [])]

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.dynamodb.calls]


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def outcomes(done: list[Submitted]) -> list[Outcome]:
    return [each.outcome for each in done]


def refuses(operation: str, error: Exception, *, of: str = "", times: int = 99) -> Any:
    """Fail the next calls of an operation whose arguments contain `of`."""
    left = times

    def hook(call: Call) -> None:
        nonlocal left
        if call.operation == operation and of in str(call.arguments) and left:
            left -= 1
            raise error

    return hook


def test_a_submission_is_an_item_an_object_and_an_announcement(cloud: Cloud) -> None:
    # WHEN
    done = cloud.submit(1)
    # THEN
    assert done == [Submitted(submission(1), Outcome.SUBMITTED)]
    assert cloud.dynamodb.tables["items"] == {item_id(1): item(1)}
    [version] = cloud.s3.buckets["files"][f"{item_id(1)}/laptop.json"]
    assert version.content == submission(1).content
    assert TEXT.encode() in (version.content or b"")
    assert cloud.announced == [uploaded(1)]


def test_s3_keeps_the_checksum_and_the_kind_of_the_object(cloud: Cloud) -> None:
    cloud.submit(1)
    [call] = [call for call in cloud.dynamodb.calls if call.operation == "PutObject"]
    digest = hashlib.sha256(submission(1).content).digest()
    assert call.arguments["ChecksumSHA256"] == base64.b64encode(digest).decode()
    assert call.arguments["ContentType"] == "application/json"


def test_nothing_is_announced_before_item_and_object_are_there(cloud: Cloud) -> None:
    cloud.submit(1, 2, concurrency=1)
    assert cloud.operations == [*["PutItem", "PutObject"] * 2, "SendMessageBatch"]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_many_are_announced_ten_in_a_call_and_told_in_order(cloud: Cloud, concurrency: int) -> None:
    done = cloud.submit(*range(1, 26), concurrency=concurrency)
    assert [each.submission.document.id for each in done] == [item_id(n) for n in range(1, 26)]
    assert set(outcomes(done)) == {Outcome.SUBMITTED}
    assert cloud.announced == [uploaded(n) for n in range(1, 26)]
    assert Counter(cloud.operations) == {"PutItem": 25, "PutObject": 25, "SendMessageBatch": 3}


def test_several_are_stored_at_once(cloud: Cloud) -> None:
    # GIVEN a table that answers only once three are asking
    together = threading.Barrier(3, timeout=5)

    def wait(call: Call) -> None:
        if call.operation == "PutItem":
            together.wait()

    cloud.dynamodb.before = wait
    # WHEN / THEN
    assert outcomes(cloud.submit(1, 2, 3, concurrency=3)) == [Outcome.SUBMITTED] * 3


def test_nothing_to_submit_is_no_call(cloud: Cloud) -> None:
    assert cloud.submit() == []
    assert cloud.operations == []


def test_run_again_it_announces_again_until_the_item_has_moved_on(cloud: Cloud) -> None:
    # GIVEN a submission that the updater has not seen yet
    cloud.submit(1)
    found = replace(submission(1), is_new=False)
    # WHEN / THEN
    [again] = cloud.script.submit([found])
    assert again.outcome is Outcome.FINISHED
    assert cloud.announced == [uploaded(1)] * 2
    # AND once the updater has, nothing is sent
    cloud.dynamodb.tables["items"][item_id(1)] = item(1, version=2)
    [again] = cloud.script.submit([found])
    assert again.outcome is Outcome.KNOWN
    assert cloud.announced == [uploaded(1)] * 2
    assert cloud.dynamodb.tables["items"][item_id(1)] == item(1, version=2)
    assert len(cloud.s3.buckets["files"][found.key]) == 1


def test_what_was_begun_is_finished(cloud: Cloud) -> None:
    # GIVEN an item whose object is missing
    cloud.dynamodb.tables["items"][item_id(1)] = item(1)
    # WHEN
    [done] = cloud.script.submit([replace(submission(1), is_new=False)])
    # THEN
    assert done.outcome is Outcome.FINISHED
    assert len(cloud.s3.buckets["files"][submission(1).key]) == 1
    assert cloud.announced == [uploaded(1)]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        (
            {"model": "another"},
            "laptop.json was changed after it was submitted: SHA-256 "
            f"{submission(1, model='another').sha256[:12]}…, not {submission(1).sha256[:12]}….",
        ),
        ({"name": "renamed.json"}, "renamed.json was submitted as 'laptop.json'."),
        (
            {"name": "renamed.json", "model": "another"},
            "renamed.json was submitted as 'laptop.json'.",
        ),
    ],
    ids=["content", "name", "both"],
)
def test_a_file_that_changed_after_its_submission_is_refused_and_nothing_is_sent(
    cloud: Cloud, changed: dict[str, Any], error: str, version: int
) -> None:
    # GIVEN
    cloud.submit(1)
    cloud.dynamodb.tables["items"][item_id(1)] = item(1, version=version)
    tables, objects = dict(cloud.dynamodb.tables["items"]), dict(cloud.s3.buckets["files"])
    # WHEN
    now = submission(1, **changed)
    [done] = cloud.script.submit([now])
    # THEN
    assert done == Submitted(now, Outcome.CHANGED, error)
    assert cloud.announced == [uploaded(1)]
    assert cloud.dynamodb.tables["items"] == tables
    assert cloud.s3.buckets["files"] == objects
    assert cloud.operations[3:] == ["PutItem"]


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ("s3_key", "laptop.json was submitted as ''."),
        ("sha256", f"SHA-256 {submission(1).sha256[:12]}…, not …."),
    ],
)
def test_an_item_of_somebody_else_under_the_id_is_no_submission_of_the_file(
    cloud: Cloud, missing: str, error: str
) -> None:
    # GIVEN an item without what the script writes into each
    stored = {name: value for name, value in item(1).items() if name != missing}
    cloud.dynamodb.tables["items"][item_id(1)] = stored
    # WHEN
    [done] = cloud.submit(1)
    # THEN
    assert done.outcome is Outcome.CHANGED
    assert done.error.endswith(error)
    assert cloud.operations == ["PutItem"]
    assert cloud.dynamodb.tables["items"][item_id(1)] == stored


def test_what_is_for_a_bucket_of_another_account_is_not_stored(cloud: Cloud) -> None:
    # GIVEN a bucket that is not the account's
    cloud.script = replace(cloud.script, account="999999999999")
    # WHEN
    [done] = cloud.submit(1)
    # THEN
    assert done.outcome is Outcome.FAILED
    assert "AccessDenied" in done.error
    assert cloud.s3.buckets["files"] == {}
    assert cloud.announced == []


@pytest.mark.parametrize("operation", ["PutItem", "PutObject"])
@pytest.mark.parametrize(
    "error",
    [refusal("AccessDenied", "Put"), ConnectTimeoutError(endpoint_url="https://aws")],
    ids=["refused", "no answer"],
)
def test_one_that_cannot_be_stored_fails_alone_and_is_not_announced(
    cloud: Cloud, operation: str, error: Exception
) -> None:
    cloud.dynamodb.before = refuses(operation, error, of=item_id(2))
    done = cloud.submit(1, 2, 3)
    assert {each.submission.document.id: each.error for each in done} == {
        item_id(1): "",
        item_id(2): str(error),
        item_id(3): "",
    }
    assert cloud.announced == [uploaded(1), uploaded(3)]


def test_one_that_the_queue_does_not_take_fails_and_the_others_do_not(cloud: Cloud) -> None:
    cloud.sqs.refuse_next = [1] * 3
    done = cloud.submit(1, 2, 3)
    assert outcomes(done) == [Outcome.FAILED, Outcome.SUBMITTED, Outcome.SUBMITTED]
    assert done[0].error == "The queue did not take the announcement: InternalError."
    assert cloud.announced == [uploaded(2), uploaded(3)]


def test_a_write_to_the_same_key_at_the_same_time_is_tried_again(cloud: Cloud) -> None:
    conflict = refusal("ConditionalRequestConflict", "PutObject")
    cloud.dynamodb.before = refuses("PutObject", conflict, times=2)
    assert outcomes(cloud.submit(1)) == [Outcome.SUBMITTED]
    assert len(cloud.s3.buckets["files"][submission(1).key]) == 1


def test_a_conflict_that_does_not_end_is_a_failure(cloud: Cloud) -> None:
    conflict = refusal("ConditionalRequestConflict", "PutObject")
    cloud.dynamodb.before = refuses("PutObject", conflict)
    [done] = cloud.submit(1)
    assert done.outcome is Outcome.FAILED
    assert "ConditionalRequestConflict" in done.error
    assert cloud.operations.count("PutObject") == 3
    assert cloud.announced == []


def test_an_object_that_reached_s3_damaged_is_not_stored(cloud: Cloud) -> None:
    # GIVEN a submission whose content is not what its checksum says
    class Damaged(Submission):
        sha256 = "0" * 64

    good = submission(1)
    damaged = Damaged(good.file, good.document, good.content, is_new=True)
    # WHEN / THEN
    [done] = cloud.script.submit([damaged])
    assert "BadDigest" in done.error
    assert cloud.announced == []


def test_after_a_mistake_of_ours_no_work_goes_on(cloud: Cloud) -> None:
    # GIVEN a hundred submissions, one at a time
    running = cloud.script.submit([submission(n) for n in range(1, 101)], concurrency=1)
    cloud.dynamodb.before = refuses("PutItem", KeyError("a mistake"), of=item_id(3))
    # WHEN the third meets a mistake of ours
    with pytest.raises(KeyError):
        list(running)
    # THEN no thread goes on in secret
    assert not [each for each in threading.enumerate() if "ThreadPool" in each.name]
