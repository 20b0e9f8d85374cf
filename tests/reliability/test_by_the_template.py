"""The aggregator under Lambda's documented rules, with the settings its own template gives them.

What is taken away from the template (bisecting, the retry limit, the partial batch response)
fails a test here by name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from event_aggregator import aggregator
from local_cloud.redelivery import Delivered, deliver
from proofs.fakes.dynamodb import Call, refusal
from proofs.fakes.faults import Crash
from tests.builders import FakeContext, stored_event, stream_batch

if TYPE_CHECKING:
    from local_cloud.delivery import StreamSettings
    from proofs.deployed import Deployed
    from tests.reliability.conftest import Functions, Item

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
EVENTS, GROUPS = 250, 5
BAD = 137


@pytest.fixture
def mapping(deployed: Deployed) -> StreamSettings:
    """The event source mapping of the synthesized stack."""
    return deployed.stream("event_aggregator.aggregator")


def events() -> list[Item]:
    return [stored_event(n, group=n % GROUPS) for n in range(EVENTS)]


def redeliver(items: list[Item], mapping: StreamSettings) -> Delivered:
    """Deliver by the rules until every record is processed or given up."""

    def invoke(event: dict[str, Any]) -> object:
        # A real answer crosses the wire as JSON.
        return json.loads(json.dumps(aggregator.handler(event, FakeContext())))

    return deliver(
        stream_batch(items)["Records"],
        mapping,
        invoke,
        errors=(Exception, Crash),
        limit=500,
    )


def counts(functions: Functions) -> list[int]:
    summaries = functions.dynamodb.tables["summaries"].values()
    return sorted(int(each["item_count"]["N"]) for each in summaries)


def given_up(delivered: Delivered) -> list[str]:
    """Return the numbers of all records that were given up."""
    return [record.sequence for discard in delivered.given_up for record in discard.batch.records]


def touches(call: Call, event: Item) -> bool:
    return call.operation == "TransactWriteItems" and event["id"]["S"] in str(call.arguments)


def test_a_record_that_kills_the_function_is_isolated_and_the_others_count(
    functions: Functions, mapping: StreamSettings
) -> None:
    # GIVEN a record at which the function dies, so that it cannot report it
    items = events()

    def die(call: Call) -> None:
        if touches(call, items[BAD]):
            raise Crash("out of memory")

    functions.dynamodb.before = die

    # WHEN
    delivered = redeliver(items, mapping)

    # THEN it alone is given up, and the others count once
    assert given_up(delivered) == [f"{BAD + 1:021d}"]
    assert sum(counts(functions)) == EVENTS - 1
    assert len(functions.dynamodb.tables["processed"]) == EVENTS - 1


def test_records_that_fail_three_times_count_in_the_end_and_nothing_is_given_up(
    functions: Functions, mapping: StreamSettings
) -> None:
    # GIVEN a group whose transactions are refused three times
    items = events()
    refused = []

    def refuse(call: Call) -> None:
        if touches(call, items[BAD]) and len(refused) < 3:
            refused.append(call)
            raise refusal("ItemCollectionSizeLimitExceededException", call.operation)

    functions.dynamodb.before = refuse

    # WHEN
    delivered = redeliver(items, mapping)

    # THEN
    assert len(refused) == 3
    assert given_up(delivered) == []
    assert counts(functions) == [EVENTS // GROUPS] * GROUPS


def test_what_is_reported_as_failed_comes_again_and_the_rest_counts_meanwhile(
    functions: Functions, mapping: StreamSettings
) -> None:
    # GIVEN one refusal, of the transaction with the last event
    items = events()
    refused = []

    def refuse(call: Call) -> None:
        if touches(call, items[-1]) and not refused:
            refused.append(counts(functions))
            raise refusal("AccessDeniedException", call.operation)

    functions.dynamodb.before = refuse

    # WHEN
    delivered = redeliver(items, mapping)

    # THEN it is sent twice, the second time without what was done before
    assert sum(refused[0]) > 0
    assert len(delivered.sent[0]) == EVENTS
    assert 0 < len(delivered.sent[1]) < EVENTS
    assert given_up(delivered) == []
    assert counts(functions) == [EVENTS // GROUPS] * GROUPS


def test_an_outage_ends_in_the_dead_letter_queue_in_few_invocations_and_blocks_nothing(
    functions: Functions, mapping: StreamSettings
) -> None:
    # GIVEN a DynamoDB that refuses everything
    def refuse(call: Call) -> None:
        raise refusal("AccessDeniedException", call.operation)

    functions.dynamodb.before = refuse

    # WHEN
    delivered = redeliver(events(), mapping)

    # THEN each record is given up once, after the tries that the template allows
    assert given_up(delivered) == [f"{n + 1:021d}" for n in range(EVENTS)]
    assert len(delivered.sent) == mapping.retries + 1
    assert counts(functions) == []


def test_impossible_records_are_put_aside_once_though_their_neighbours_come_again(
    functions: Functions, mapping: StreamSettings
) -> None:
    # GIVEN impossible records, and a group that is refused twice
    items = [{"id": each["id"]} if n % 50 == 7 else each for n, each in enumerate(events())]
    impossible = [each["id"]["S"] for each in items if len(each) == 1]
    refused = []

    def refuse(call: Call) -> None:
        if touches(call, items[BAD]) and len(refused) < 2:
            refused.append(call)
            raise refusal("AccessDeniedException", call.operation)

    functions.dynamodb.before = refuse

    # WHEN
    delivered = redeliver(items, mapping)

    # THEN each is in the rejects queue once, and all others count once
    assert len(refused) == 2
    assert sorted(functions.rejected) == sorted(impossible)
    assert sum(counts(functions)) == EVENTS - len(impossible)
    assert given_up(delivered) == []
