"""The benchmark's DynamoDB counts what moto would be asked, and ends with the same tables."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from bench import load
from bench.dynamodb import CountingDynamoDB, NotAnswered, updated
from bench.load import Job
from event_aggregator.aggregation import Counted, Tables, count
from shared import times
from tests.unit.aws import make_table

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def events(number: int, groups: int) -> list[Counted]:
    return [
        Counted.from_record(
            {
                "eventID": f"{each}",
                "dynamodb": {
                    "SequenceNumber": str(each),
                    "NewImage": {
                        "id": {"S": f"00000000-0000-4000-8000-{each:012d}"},
                        "group": {"S": f"{each % groups:064x}"},
                        "group_label": {"S": f'{{"n":{each % groups}}}'},
                        "received_at": {"S": f"2026-11-21T09:30:00.{each:06d}Z"},
                    },
                },
            }
        )
        for each in range(number)
    ]


def count_twice(client: DynamoDBClient, tables: Tables) -> list[str]:
    """Count two batches; return the operations called."""
    operations: list[str] = []
    client.meta.events.register(
        "before-parameter-build.dynamodb",
        lambda model, **_: operations.append(model.name),  # type: ignore[arg-type]
    )
    all_events = events(120, groups=3)
    for batch in (all_events[:100], all_events[100:]):
        count(batch, tables=tables, now=times.now(), client=client)
    return list(operations)


def test_the_same_events_make_the_same_calls_and_summaries_as_on_moto() -> None:
    # GIVEN moto, and the benchmark's DynamoDB
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        tables = Tables(processed=make_table(client), summaries=make_table(client, ranking="rank"))

        # WHEN both are given the same events
        on_moto = count_twice(client, tables)
        expected = {
            each["id"]["S"]: each for each in client.scan(TableName=tables.summaries)["Items"]
        }
        markers = client.scan(TableName=tables.processed, Select="COUNT")["Count"]

    session = boto3.Session("test", "test", region_name="us-east-1")
    own = CountingDynamoDB({"markers": 0, "sums": 1})
    own.attach(session.events)
    here = count_twice(session.client("dynamodb"), Tables(processed="markers", summaries="sums"))

    # THEN nothing differs
    assert here == on_moto
    assert dict(own.tally.calls) == {name: on_moto.count(name) for name in set(on_moto)}
    assert own.tables["sums"] == expected
    assert len(own.tables["markers"]) == markers == 120
    # AND a marker is two units, a summary two for each transaction it is in, its entry in the
    # index one at first and two from then on
    transactions_of_groups = own.tally.writes["sums"] // 2
    assert own.tally.writes["markers"] == 240
    assert own.tally.writes["sums index"] == 2 * transactions_of_groups - 3


def test_a_call_it_does_not_know_is_an_error_and_leaves_the_process_for_nowhere() -> None:
    session = boto3.Session("test", "test", region_name="us-east-1")
    CountingDynamoDB({"t": 0}).attach(session.events)

    with pytest.raises(NotAnswered, match="Scan is not known"):
        session.client("dynamodb").scan(TableName="t")


def test_an_update_sets_and_adds() -> None:
    request = {
        "UpdateExpression": "ADD n :one SET #a = :text, b = :text",
        "ExpressionAttributeNames": {"#a": "a"},
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":text": {"S": "x"}},
    }

    assert updated(request, {"id": {"S": "i"}, "n": {"N": "2"}}) == {
        "id": {"S": "i"},
        "n": {"N": "3"},
        "a": {"S": "x"},
        "b": {"S": "x"},
    }


def test_names_of_metrics_are_read_from_what_a_function_prints() -> None:
    printed = io.StringIO()
    printed.write('{"level":"INFO"}\n')
    printed.write('{"_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"A"},{"Name":"B"}]}]}}\n')

    assert load.metric_names(printed.getvalue()) == {"A", "B"}


def test_a_job_survives_its_way_to_the_process_that_does_it() -> None:
    job = Job(environment={"A": "1"}, indexes={"t": 1}, batches=[[1, 2]], groups=3)

    assert Job(**vars(job)) == job
