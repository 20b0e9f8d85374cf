"""What the local cloud's queue poller does with real functions and queues.

The rules themselves are in tests/conformance; here is that the pollers obey them, with IAM
enforced and times divided by the clock scale.
"""

from __future__ import annotations

import json
import time

import pytest

from tests.local.functions import allow
from tests.local.sources import REPORTING, Bench, eventually

POISON = 'if "poison" in names: raise ValueError("poison")'


def test_only_reported_messages_come_back_and_go_unchanged_to_the_dead_letter_queue(
    bench: Bench, scale: float
) -> None:
    # GIVEN a function that reports one message, and a queue that allows two receives
    url, arn, dead = bench.queue_with_dead_letters(2, VisibilityTimeout="20")
    function = bench.function('return report("bad")')
    mapping = bench.map(arn, function, Enabled=False, **REPORTING)
    attributes = {"colour": {"DataType": "String", "StringValue": "Åsa 😀"}}
    bench.send(url, "1", "bad", "3", MessageAttributes=attributes)

    # WHEN
    began = time.monotonic()
    bench.target.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)

    # THEN only it is sent again, and after two visibility timeouts it is a dead letter
    assert eventually(lambda: bench.bodies(dead), ["bad"]) == ["bad"]
    assert time.monotonic() - began > 2 * 20 / scale
    assert bench.sent(function) == [["1", "bad", "3"], ["bad"]]
    [letter] = bench.target.client("sqs").receive_message(
        QueueUrl=dead, MessageAttributeNames=["All"]
    )["Messages"]
    assert letter["MessageAttributes"]["colour"]["StringValue"] == "Åsa 😀"
    assert bench.count(url) == 0


@pytest.mark.parametrize(
    "response", ['[{"itemIdentifier": ""}]', '[{"itemIdentifier": None}]', '[{"id": "1"}]', '"no"']
)
def test_a_malformed_report_fails_the_whole_batch_of_a_queue(bench: Bench, response: str) -> None:
    url, arn, dead = bench.queue_with_dead_letters(1, VisibilityTimeout="10")
    function = bench.function(f'return {{"batchItemFailures": {response}}}')
    mapping = bench.map(arn, function, Enabled=False, **REPORTING)
    bench.send(url, "1", "2")

    bench.target.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)

    assert eventually(lambda: sorted(bench.bodies(dead)), ["1", "2"]) == ["1", "2"]
    assert bench.sent(function) == [["1", "2"]]


def test_a_fifo_group_waits_for_its_failed_message_and_other_groups_do_not(bench: Bench) -> None:
    # GIVEN a function that returns a1 and what follows it in the batch, the first time; they stay
    # hidden for longer than a function's cold start takes on a busy machine
    url, arn, dead = bench.queue_with_dead_letters(
        5, FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="80"
    )
    first = 'records[0]["attributes"]["ApproximateReceiveCount"] == "1"'
    function = bench.function(f'if {first}: return report("a1", "a2")')
    mapping = bench.map(arn, function, Enabled=False, BatchSize=2, **REPORTING)
    for name in ("a1", "a2", "a3", "b1", "b2"):
        bench.send(url, name, MessageGroupId=name[0])

    # WHEN
    bench.target.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)

    # THEN a3 is not sent before a1 and a2 were sent again
    def of_group(name: str) -> list[list[str]]:
        return [batch for batch in bench.sent(function) if batch[0].startswith(name)]

    batches = [["a1", "a2"], ["a1", "a2"], ["a3"]]
    assert eventually(lambda: of_group("a"), batches, seconds=20) == batches
    assert bench.bodies(dead) == []

    # AND the other group does not wait for them
    assert of_group("b") == [["b1", "b2"]]
    assert bench.sent(function).index(["b1", "b2"]) < 2


def test_a_message_stays_hidden_while_a_function_has_it_however_long(
    bench: Bench, scale: float
) -> None:
    # GIVEN a visibility timeout that is shorter here than the function takes
    url, arn = bench.queue(VisibilityTimeout="20")
    function = bench.function("time.sleep(2)")
    bench.map(arn, function)
    assert 20 / scale < 2

    # WHEN
    bench.send(url, "1")

    # THEN it was sent once, also when a second invoke would have ended
    assert eventually(lambda: bench.sent(function), [["1"]]) == [["1"]]
    time.sleep(2.5)
    assert bench.sent(function) == [["1"]]
    assert bench.count(url) == 0


def test_a_function_may_say_when_its_message_comes_back(bench: Bench) -> None:
    # GIVEN a function that wants a failed message again at once, not in minutes
    url, arn = bench.queue(VisibilityTimeout="600")
    function = bench.function(
        "if records[0]['attributes']['ApproximateReceiveCount'] == '2': return\n"
        "import boto3\n"
        "boto3.client('sqs').change_message_visibility(\n"
        f"    QueueUrl='{url}', ReceiptHandle=records[0]['receiptHandle'], VisibilityTimeout=0)\n"
        "time.sleep(1)\n"
        "raise ValueError"
    )
    bench.map(arn, function)

    # WHEN it fails, THEN the message comes again
    bench.send(url, "1")
    assert eventually(lambda: bench.sent(function), [["1"], ["1"]]) == [["1"], ["1"]]
    assert eventually(lambda: bench.count(url), 0) == 0


def test_a_queue_is_read_only_while_the_role_may_and_the_mapping_says_so(bench: Bench) -> None:
    url, arn = bench.queue()
    lacking = (allow("sqs:ReceiveMessage", arn), allow("sqs:GetQueueAttributes", arn))
    function = bench.function("pass", *lacking)
    mapping = bench.map(arn, function)

    bench.send(url, "1")

    assert eventually(lambda: "sqs:DeleteMessage" in bench.last_result(mapping), True)
    assert bench.sent(function) == []
    assert bench.bodies(url) == ["1"]


def test_messages_that_do_not_match_are_deleted_and_a_window_gathers_more_than_ten(
    bench: Bench,
) -> None:
    url, arn = bench.queue()
    function = bench.function("pass")
    bench.map(
        arn, function, BatchSize=100, MaximumBatchingWindowInSeconds=20,
        FilterCriteria={"Filters": [{"Pattern": '{"body": {"wanted": [true]}}'}]},
    )  # fmt: skip

    wanted = [json.dumps({"wanted": True, "n": n}) for n in range(12)]
    bench.send(url, '{"wanted": false}', *wanted)

    batches = [sorted(wanted)]
    assert eventually(lambda: [sorted(b) for b in bench.sent(function)], batches) == batches
    assert eventually(lambda: bench.count(url), 0) == 0


def test_clients_wait_for_queues_on_the_scaled_clock(bench: Bench, scale: float) -> None:
    sqs = bench.target.client("sqs")
    url, _ = bench.queue(VisibilityTimeout="20", ReceiveMessageWaitTimeSeconds="20")

    # GIVEN an empty queue, THEN a long poll of twenty seconds ends twenty times sooner
    began = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert 20 / scale <= time.monotonic() - began < 20 / scale + 2

    # GIVEN a message with a delay, THEN it comes when that has passed
    began = time.monotonic()
    bench.send(url, "1", DelaySeconds=10)
    [received] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert 10 / scale <= time.monotonic() - began < 10 / scale + 1

    # AND again when its visibility timeout has
    began = time.monotonic()
    [again] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert 20 / scale - 0.1 <= time.monotonic() - began < 20 / scale + 1

    # AND at once when that is changed to nothing
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0
    )
    assert bench.bodies(url) == [received["Body"]]
