"""What the local cloud's stream poller does with real functions and tables.

The rules themselves are in tests/conformance; here is that the pollers obey them, with IAM
enforced and times divided by the clock scale.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.functions import allow, policy
from tests.local.sources import REPORTING, Bench, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


POISON = 'if "poison" in names: raise ValueError("poison")'
READ_STREAM = "dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"


def on_failure(arn: str) -> dict[str, Any]:
    return {"DestinationConfig": {"OnFailure": {"Destination": arn}}}


def one_batch(bench: Bench, table: str, mapping: str, *ids: str) -> None:
    """Put items while a mapping is off, so that they are one batch when it is on."""
    bench.put(table, *ids)
    bench.target.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)


def test_bisect_isolates_the_poison_and_its_place_goes_to_the_on_failure_queue(
    bench: Bench,
) -> None:
    # GIVEN a function that raises when it gets one record
    table, stream = bench.table()
    failures, failures_arn = bench.queue()
    function = bench.function(POISON)
    mapping = bench.map(
        stream, function, Enabled=False, BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1, **on_failure(failures_arn),
    )  # fmt: skip

    # WHEN that record comes among others
    one_batch(bench, table, mapping, "1", "2", "poison", "4")

    # THEN only it is given up, after its retry, and the others went through once more or less
    batches = [["1", "2", "poison", "4"], ["1", "2"], ["poison", "4"], ["poison"]]
    batches += [["poison"], ["4"]]
    assert eventually(lambda: bench.sent(function), batches) == batches

    # AND the record says where it is, in the shape that AWS documents
    assert eventually(lambda: len(bench.bodies(failures)), 1) == 1
    told = json.loads(bench.bodies(failures)[0])
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 2
    assert told["requestContext"]["functionArn"] == function
    assert told["responseContext"] == {
        "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
    }  # fmt: skip
    place = told["DDBStreamBatchInfo"]
    assert (place["batchSize"], place["streamArn"]) == (1, stream)
    assert place["startSequenceNumber"] == place["endSequenceNumber"]
    assert record_at(bench, place) == "poison"


def record_at(bench: Bench, place: dict[str, str]) -> str:
    """Read what a failure record points at."""
    streams = bench.target.client("dynamodbstreams")  # type: ignore[call-overload]
    iterator = streams.get_shard_iterator(
        StreamArn=place["streamArn"],
        ShardId=place["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=place["startSequenceNumber"],
    )["ShardIterator"]
    [record, *_] = streams.get_records(ShardIterator=iterator)["Records"]
    return str(record["dynamodb"]["Keys"]["id"]["S"])


def test_a_partial_batch_response_of_a_stream_goes_on_from_the_reported_record(
    bench: Bench,
) -> None:
    # GIVEN a function that reports one record, and one retry
    table, stream = bench.table()
    failures, failures_arn = bench.queue()
    function = bench.function('return report("3")')
    mapping = bench.map(
        stream, function, Enabled=False, BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1, **REPORTING, **on_failure(failures_arn),
    )  # fmt: skip

    # WHEN it comes among others
    one_batch(bench, table, mapping, "1", "2", "3", "4")

    # THEN what is before it counts as processed, and only the rest is given up
    batches = [["1", "2", "3", "4"], ["3", "4"], ["3", "4"]]
    assert eventually(lambda: bench.sent(function), batches) == batches
    assert eventually(lambda: len(bench.bodies(failures)), 1) == 1
    place = json.loads(bench.bodies(failures)[0])["DDBStreamBatchInfo"]
    assert (place["batchSize"], record_at(bench, place)) == (2, "3")


def test_a_batch_is_given_up_after_its_retries_and_the_shard_goes_on(bench: Bench) -> None:
    # GIVEN a mapping with two retries and no bisect
    table, stream = bench.table()
    failures, failures_arn = bench.queue()
    function = bench.function(POISON)
    mapping = bench.map(
        stream, function, Enabled=False, BatchSize=2,
        MaximumRetryAttempts=2, **on_failure(failures_arn),
    )  # fmt: skip

    # WHEN the first batch fails
    one_batch(bench, table, mapping, "1", "poison", "3")

    # THEN it is sent three times, whole, before the next one is
    batches = [["1", "poison"]] * 3 + [["3"]]
    assert eventually(lambda: bench.sent(function), batches) == batches
    [told] = map(json.loads, bench.bodies(failures))
    assert told["DDBStreamBatchInfo"]["batchSize"] == 2
    assert told["requestContext"]["approximateInvokeCount"] == 3


def test_a_record_beyond_the_maximum_age_is_given_up_on_the_scaled_clock(
    bench: Bench, scale: float
) -> None:
    # GIVEN a function that keeps failing, and retries without a limit for a minute
    table, stream = bench.table()
    failures, failures_arn = bench.queue()
    function = bench.function(POISON)
    bench.map(stream, function, MaximumRecordAgeInSeconds=60, **on_failure(failures_arn))
    bench.put(table, "poison")
    began = time.monotonic()

    # THEN after a minute of the cloud's clock it is given up
    assert eventually(lambda: len(bench.bodies(failures)), 1) == 1
    assert 60 / scale - 0.5 < time.monotonic() - began < 60 / scale + 4
    [told] = map(json.loads, bench.bodies(failures))
    assert told["requestContext"]["condition"] == "RecordAgeExceeded"
    assert told["requestContext"]["approximateInvokeCount"] == len(bench.sent(function)) > 2

    # AND the shard goes on
    bench.put(table, "next")
    assert eventually(lambda: bench.sent(function)[-1], ["next"]) == ["next"]


def test_a_blank_identifier_fails_the_whole_batch_of_a_stream(bench: Bench) -> None:
    table, stream = bench.table()
    failures, failures_arn = bench.queue()
    function = bench.function('return {"batchItemFailures": [{"itemIdentifier": ""}]}')
    mapping = bench.map(
        stream, function, Enabled=False, MaximumRetryAttempts=0,
        **REPORTING, **on_failure(failures_arn),
    )  # fmt: skip

    one_batch(bench, table, mapping, "1", "2")

    assert eventually(lambda: len(bench.bodies(failures)), 1) == 1
    [told] = map(json.loads, bench.bodies(failures))
    assert told["DDBStreamBatchInfo"]["batchSize"] == 2
    assert "functionError" not in told["responseContext"]


def test_a_stream_is_read_only_while_the_role_may_and_the_mapping_says_so(bench: Bench) -> None:
    # GIVEN a role that lacks one of the three reads
    table, stream = bench.table()
    function = bench.function("pass", *(allow(action, stream) for action in READ_STREAM[:2]))
    mapping = bench.map(stream, function)
    bench.put(table, "1")

    # THEN nothing is read, and the mapping names what is missing
    result = eventually(lambda: "dynamodb:GetRecords" in bench.last_result(mapping), True)
    assert result, bench.last_result(mapping)
    assert bench.sent(function) == []

    # WHEN the role gets it, THEN the record arrives
    role = bench.target.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    bench.target.client("iam").put_role_policy(
        RoleName=role.rsplit("/", 1)[-1],
        PolicyName="more",
        PolicyDocument=policy(allow(READ_STREAM[2], stream)),
    )
    assert eventually(lambda: bench.sent(function), [["1"]]) == [["1"]]
    assert eventually(lambda: bench.last_result(mapping), "OK") == "OK"


def test_without_permission_to_send_the_failure_record_is_lost_and_logged(
    bench: Bench, cloud_state: Path
) -> None:
    # GIVEN a role that may read the stream and not send to the queue
    table, stream = bench.table()
    failures, failures_arn = bench.queue()
    function = bench.function(POISON, *(allow(action, stream) for action in READ_STREAM))
    bench.map(stream, function, MaximumRetryAttempts=0, **on_failure(failures_arn))

    # WHEN a batch is given up
    bench.put(table, "poison")
    assert eventually(lambda: bench.sent(function), [["poison"]]) == [["poison"]]
    bench.put(table, "next")
    batches = [["poison"], ["next"]]
    assert eventually(lambda: bench.sent(function), batches) == batches

    # THEN the queue stays empty, and the cloud's log says why
    assert bench.bodies(failures) == []
    missing = f"may not sqs:SendMessage on {failures_arn}"
    assert missing in (cloud_state / "cloud.log").read_text()


def test_records_are_gathered_for_the_batching_window_and_filtered(bench: Bench) -> None:
    # GIVEN a window of twenty seconds, a second here, and a filter for inserts
    table, stream = bench.table()
    function = bench.function("pass")
    bench.map(
        stream, function, MaximumBatchingWindowInSeconds=20,
        FilterCriteria={"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
    )  # fmt: skip

    # WHEN items are put one after the other, and one goes again
    for name in ("1", "2", "3"):
        bench.put(table, name)
        time.sleep(0.1)
    bench.target.client("dynamodb").delete_item(TableName=table, Key={"id": {"S": "1"}})

    # THEN the function gets them at once
    assert eventually(lambda: bench.sent(function), [["1", "2", "3"]]) == [["1", "2", "3"]]


def test_neither_a_slow_function_nor_a_window_stalls_another_mapping(bench: Bench) -> None:
    # GIVEN a function that takes long, at work, and messages that are gathered for a minute
    slow_table, slow_stream = bench.table()
    slow = bench.function("time.sleep(3)")
    mapping = bench.map(slow_stream, slow)
    gathering_url, gathering = bench.queue()
    bench.map(gathering, slow, MaximumBatchingWindowInSeconds=60)
    table, stream = bench.table()
    url, arn = bench.queue()
    quick = bench.function("pass")
    bench.map(stream, quick)
    bench.map(arn, quick)
    bench.put(slow_table, "slow")
    bench.send(gathering_url, "slow")
    time.sleep(0.3)

    # WHEN others get something, THEN it arrives meanwhile
    bench.put(table, "1")
    bench.send(url, "2")
    arrived = eventually(lambda: sorted(bench.sent(quick)), [["1"], ["2"]], seconds=2)
    assert arrived == [["1"], ["2"]]
    assert bench.last_result(mapping) == "No records processed"


def settled(read: Callable[[], int]) -> int:
    """Return what `read` gives once that has not changed for a moment."""
    last = -1
    while (found := read()) != last:
        last = found
        time.sleep(1.2)
    return last


@pytest.mark.parametrize("ending", ["disabled", "deleted", "table deleted"])
def test_a_failing_batch_is_not_sent_any_more_when_its_mapping_or_table_goes(
    bench: Bench, ending: str
) -> None:
    # GIVEN a batch that is retried for ever
    table, stream = bench.table()
    function = bench.function(POISON)
    mapping = bench.map(stream, function)
    bench.put(table, "poison")
    assert eventually(lambda: len(bench.sent(function)) > 1, True)

    # WHEN
    client = bench.target.client("lambda")
    if ending == "disabled":
        client.update_event_source_mapping(UUID=mapping, Enabled=False)
    elif ending == "deleted":
        client.delete_event_source_mapping(UUID=mapping)
    else:
        bench.target.client("dynamodb").delete_table(TableName=table)

    # THEN it is not sent again; an invoke under way may end
    before = settled(lambda: len(bench.sent(function)))
    time.sleep(2)
    assert len(bench.sent(function)) == before

    # AND a mapping that is enabled again goes on with that batch
    if ending == "disabled":
        client.update_event_source_mapping(UUID=mapping, Enabled=True)
        assert eventually(lambda: len(bench.sent(function)) > before, True)
