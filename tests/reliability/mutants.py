"""Handlers with one promise broken each: chaos that does not see them proves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from consumer import responding
from discovery import updating
from event_aggregator import aggregation, events
from ingest import emitting, storer, storing
from odyssey_cli import firehose_rejects
from pubsub import counting, multiplier, saying
from shared import exactly_once, queues, rejects, stream_rejects, transactions

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Mutant = Callable[[pytest.MonkeyPatch], None]


def without_condition(action: dict[str, Any]) -> dict[str, Any]:
    [(verb, what)] = action.items()
    kept = {name: value for name, value in what.items() if name != "ConditionExpression"}
    return {verb: kept}


def marker_without_condition(patch: pytest.MonkeyPatch) -> None:
    real = exactly_once.Markers.put
    patch.setattr(
        exactly_once.Markers, "put", lambda *a, **k: without_condition(dict(real(*a, **k)))
    )


def failures_are_not_reported(patch: pytest.MonkeyPatch) -> None:
    real = rejects.answer
    patch.setattr(rejects, "answer", lambda settled: real(replace(settled, failed=[])))


def rejects_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rejects, "send", lambda *_args, **_kwargs: {})


def span_without_condition(patch: pytest.MonkeyPatch) -> None:
    """Count in place of adding: what another batch has counted is overwritten."""
    real = aggregation._effect

    def effect(*arguments: Any) -> Any:
        action: Any = real(*arguments)
        update = action["Update"]
        update["UpdateExpression"] = update["UpdateExpression"].replace(
            "ADD item_count :n SET ", "SET item_count = :n, "
        )
        return action

    patch.setattr(aggregation, "_effect", effect)


def a_new_id_for_every_request(patch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(10**9))
    patch.setattr(events, "request_id", lambda _key, **_scope: f"{next(numbers):036}")


def partial_failures_are_ignored(patch: pytest.MonkeyPatch) -> None:
    real = queues._send

    def send(batch: Any, *arguments: Any) -> Any:
        _, is_available = real(batch, *arguments)
        return {}, is_available

    patch.setattr(queues, "_send", send)


def announced_before_it_is_stored(patch: pytest.MonkeyPatch) -> None:
    """The updater takes every message for done whose update failed."""
    real = updating.update

    def update(*arguments: Any, **options: Any) -> Any:
        result = real(*arguments, **options)
        result.failed.clear()
        return result

    patch.setattr("discovery.updater.update", update)


def not_announced_again(patch: pytest.MonkeyPatch) -> None:
    """What was updated before is taken for announced."""
    real = queues.send

    def send(messages: Any, *, queue_url: str, **options: Any) -> Any:
        due = [each for each in messages if '"version": 2' not in each.body or fresh]
        return real(due, queue_url=queue_url, **options)

    fresh: list[str] = []
    move_on = updating._move_on

    def moved(uploaded: Any, table: Any, now: Any, client: Any, result: Any) -> Any:
        before = result.updated
        announcement = move_on(uploaded, table, now, client, result)
        fresh[:] = ["yes"] if result.updated > before else []
        return announcement

    patch.setattr(updating, "_move_on", moved)
    patch.setattr(updating.queues, "send", send)


def update_without_condition(patch: pytest.MonkeyPatch) -> None:
    """The updater makes items that nobody has submitted."""
    real = updating._move_on

    def move_on(uploaded: Any, table: Any, now: Any, client: Any, result: Any) -> Any:
        class Bold:
            exceptions = client.exceptions

            @staticmethod
            def update_item(**request: Any) -> Any:
                del request["ConditionExpression"]
                del request["ExpressionAttributeValues"][":announced"]
                return client.update_item(**request)

        return real(uploaded, table, now, Bold(), result)

    patch.setattr(updating, "_move_on", move_on)


def chunk_marker_without_condition(patch: pytest.MonkeyPatch) -> None:
    real = counting.Count._marker
    patch.setattr(
        counting.Count, "_marker", lambda *arguments: without_condition(dict(real(*arguments)))
    )


def publishing_failures_are_swallowed(patch: pytest.MonkeyPatch) -> None:
    real = saying.Desk._publish

    def publish(desk: Any, message: Any) -> None:
        try:
            real(desk, message)
        except saying.NotPublished:
            return

    patch.setattr(saying.Desk, "_publish", publish)


def conflicts_are_swallowed(patch: pytest.MonkeyPatch) -> None:
    def cancellation(client: Any, actions: Any) -> Any:
        try:
            client.transact_write_items(TransactItems=actions)
        except client.exceptions.TransactionCanceledException as error:
            reasons = error.response["CancellationReasons"]
            codes = {each["Code"] for each in reasons}
            return reasons if "ConditionalCheckFailed" in codes else []
        return []

    patch.setattr(transactions, "cancellation", cancellation)
    patch.setattr(storing, "cancellation", cancellation)


def multiplied_without_marker(patch: pytest.MonkeyPatch) -> None:
    real = multiplier.chunks
    patch.setattr(multiplier, "chunks", lambda message: list(real(message))[:1])


def later_ones_of_a_group_go_on(patch: pytest.MonkeyPatch) -> None:
    """The storer stores message by message, and goes on behind one that failed."""
    real = storing.store

    def store(messages: Any, **options: Any) -> Any:
        whole = storing.Result()
        for each in messages:
            one = real([each], **options)
            whole.stored += one.stored
            whole.already += one.already
            whole.rejects += one.rejects
            whole.failed |= one.failed
        return whole

    patch.setattr(storer, "store", store)


def bus_failures_are_ignored(patch: pytest.MonkeyPatch) -> None:
    def put(chunk: Any, client: Any, *_others: Any) -> None:
        client.put_events(Entries=[entry for _, entry in chunk])

    patch.setattr(emitting, "_put", put)


def lake_without_queue(patch: pytest.MonkeyPatch) -> None:
    """The transformer takes every record for queued."""
    real = queues.send

    def send(messages: Any, *, queue_url: str, **options: Any) -> Any:
        unsent = real(messages, queue_url=queue_url, **options)
        return {} if queue_url.endswith(".fifo") else unsent

    patch.setattr("ingest.transforming.queues.send", send)


def states_without_condition(patch: pytest.MonkeyPatch) -> None:
    """The responder keeps whichever event came last, not the latest."""
    real = responding._put

    def put(*arguments: Any) -> Any:
        action: Any = without_condition(dict(real(*arguments)))
        del action["Put"]["ExpressionAttributeValues"]
        return action

    patch.setattr(responding, "_put", put)
    for look in ("read", "took_effect"):
        patch.setattr(responding._Latest, look, lambda *_arguments: None)


def errors_are_swallowed(patch: pytest.MonkeyPatch) -> None:
    """Whatever DynamoDB says, the events took effect."""
    real = exactly_once.ExactlyOnce._apply

    def apply(engine: Any, chunk: Any, result: Any) -> bool:
        try:
            real(engine, chunk, exactly_once.Result())
        except (ClientError, BotoCoreError):
            return True
        return True

    patch.setattr(exactly_once.ExactlyOnce, "_apply", apply)


def rejected_behind_failures(patch: pytest.MonkeyPatch) -> None:
    """Rejects are sent though the stream brings them again, and are lost where that fails."""

    def send(unusable: Any, *, failed: Any, source: Any, queue_url: Any, client: Any) -> Any:
        if unusable and not failed:
            rejects.send(unusable[1:], source=source, queue_url=queue_url, client=client())
        return rejects.Settled(list(failed), len(unusable), [])

    patch.setattr(stream_rejects, "send", send)


def logger_drops_rejects(patch: pytest.MonkeyPatch) -> None:
    """One of two subscribers says that it has rejected, and has not."""
    real = rejects.send

    def send(unusable: Any, *, source: str, **options: Any) -> Any:
        return {} if source == "logger" else real(unusable, source=source, **options)

    patch.setattr("pubsub.subscribing.rejects.send", send)


def rejected_and_counted(patch: pytest.MonkeyPatch) -> None:
    """The aggregator rejects what is no event, and counts it all the same."""
    read, count = aggregation.Counted.from_record, aggregation.count
    unusable: list[aggregation.Counted] = []

    def from_record(record: Any) -> Any:
        try:
            return read(record)
        except rejects.Unprocessable:
            image, noon = record["dynamodb"]["NewImage"], "2026-11-21T12:00:00.000000Z"
            number = record["dynamodb"]["SequenceNumber"]
            made = aggregation.Counted(image["id"]["S"], "0" * 64, "none", noon, number)
            unusable.append(made)
            raise

    def count_all(events: Any, **options: Any) -> Any:
        found, unusable[:] = [*events, *unusable], []
        return count(found, **options)

    patch.setattr(aggregation.Counted, "from_record", from_record)
    patch.setattr("event_aggregator.aggregator.count", count_all)


def put_back_without_id(patch: pytest.MonkeyPatch) -> None:
    """A redrive puts a rejected record back as its producer put it."""
    real = firehose_rejects.put_back
    patch.setattr(
        firehose_rejects, "put_back", lambda *a, **options: real(*a, **options | {"event_id": ""})
    )


# The seed that is tried first where it is not 1, because it caught the mutant. If another one does
# after a change of chaos, the test is slower, and as good.
CAUGHT_BY: dict[Mutant, int] = {marker_without_condition: 3, update_without_condition: 3}
MUTANTS: dict[str, list[Mutant]] = {
    "event-aggregator": [
        marker_without_condition,
        failures_are_not_reported,
        span_without_condition,
        a_new_id_for_every_request,
        errors_are_swallowed,
        rejected_behind_failures,
        rejected_and_counted,
    ],
    "discovery": [
        partial_failures_are_ignored,
        announced_before_it_is_stored,
        not_announced_again,
        update_without_condition,
        rejects_are_forgotten,
    ],
    "pubsub": [
        chunk_marker_without_condition,
        publishing_failures_are_swallowed,
        conflicts_are_swallowed,
        multiplied_without_marker,
        rejects_are_forgotten,
        logger_drops_rejects,
    ],
    "ingest": [
        marker_without_condition,
        later_ones_of_a_group_go_on,
        bus_failures_are_ignored,
        lake_without_queue,
        states_without_condition,
        conflicts_are_swallowed,
        failures_are_not_reported,
        put_back_without_id,
    ],
}
