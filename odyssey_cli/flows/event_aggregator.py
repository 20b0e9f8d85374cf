"""A client of the event aggregator: sends events, reads summaries, recounts."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import rfc8785

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.http import Answer, SignedClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from odyssey_cli.target import Target

STACK = "EventAggregator"
_PAGE = 100
# How long the summaries may stand still before they are taken to be final: the stream's
# batching window is a second, a cold start takes a few.
_PATIENCE = 30.0
_NO_GROUP = "items that are no events"


@dataclass(frozen=True)
class Summary:
    """What is known of one group of events; times are RFC 3339 texts."""

    count: int
    first_seen: str
    last_seen: str


@dataclass(frozen=True)
class Difference:
    """A group for which events and summary disagree; None where one of them is missing."""

    group: str
    events: Summary | None
    summary: Summary | None


class EventAggregator:
    """The deployed event aggregator of a target.

    Args:
        target: where it is deployed.
        connections: how many requests may be under way at once.

    Attributes:
        patience: for how many seconds `wait_for` lets the count stand still.
    """

    def __init__(self, target: Target, *, connections: int = 8) -> None:
        self.patience = _PATIENCE
        self._target = target
        self.outputs = target.outputs(STACK)
        self.client = SignedClient(self.outputs["ApiUrl"], target.session, connections=connections)

    def trigger(self, data: bytes, *, idempotency_key: str | None = None) -> Answer:
        """Post one event and return the answer, whatever it is."""
        headers = {"content-type": "application/json"}
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        return self.client.request("POST", "trigger-event", body=data, headers=headers)

    def group_of(self, data: bytes) -> str:
        """Return the id of the group that a body belongs to when the whole body makes it."""
        return hashlib.sha256(rfc8785.dumps(json.loads(data))).hexdigest()

    def page(self, **query: str) -> Answer:
        """Get a page of summaries; `query` may have `limit` and `cursor`."""
        return self.client.request("GET", f"get-summary?{urlencode(query)}")

    def one(self, id: str) -> Answer:
        """Get one summary."""
        return self.client.request("GET", f"get-summary/{id}")

    def summaries(self) -> Iterator[dict[str, Any]]:
        """Yield all summaries, highest count first.

        Raises:
            OdysseyError: the API refused.
        """
        query = {"limit": str(_PAGE)}
        while True:
            answer = self.page(**query)
            if answer.status != HTTPStatus.OK:
                raise OdysseyError(
                    f"get-summary answered {answer.status}: {answer.body}.",
                    "See ./odyssey logs Reader.",
                )
            yield from answer.body["summaries"]
            if "cursor" not in answer.body:
                return
            query["cursor"] = answer.body["cursor"]

    def total(self) -> int:
        """Return how many events all summaries count."""
        return sum(summary["item_count"] for summary in self.summaries())

    def wait_for(
        self, expected: int, *, count: Callable[[], int] | None = None, pause: float = 0.25
    ) -> int:
        """Wait until `count` (default: `total`) reaches `expected` or stands still; return it."""
        count = count or self.total
        reached, since = count(), time.monotonic()
        while reached < expected and time.monotonic() - since < self.patience:
            time.sleep(pause)
            before, reached = reached, count()
            if reached != before:
                since = time.monotonic()
        return reached

    def differences(self) -> tuple[int, list[Difference]]:
        """Recount all stored events; return their number and where summaries disagree.

        Raises:
            OdysseyError: events have expired, so that a recount would be short of them.
        """
        summaries = {
            item["id"]["S"]: Summary(
                int(item["item_count"]["N"]), item["first_seen"]["S"], item["last_seen"]["S"]
            )
            for item in self._scan("SummariesTable", "id, item_count, first_seen, last_seen")
        }
        self._refuse_after_expiry(summaries)
        times: dict[str, list[str]] = defaultdict(list)
        for item in self._scan("EventsTable", "#g, received_at", {"#g": "group"}):
            # An item that is no event has no group; it shows as a difference.
            group = item.get("group", {}).get("S", _NO_GROUP)
            times[group].append(item.get("received_at", {}).get("S", ""))
        events = {group: Summary(len(seen), min(seen), max(seen)) for group, seen in times.items()}
        different = [
            Difference(group, events.get(group), summaries.get(group))
            for group in sorted(events.keys() | summaries.keys())
            if events.get(group) != summaries.get(group)
        ]
        return sum(each.count for each in events.values()), different

    def _refuse_after_expiry(self, summaries: Mapping[str, Summary]) -> None:
        days = int(self.outputs["EventTtlDays"])
        if not days or not summaries:
            return
        oldest = min(summary.first_seen for summary in summaries.values())
        expired = datetime.fromisoformat(oldest) + timedelta(days=days)
        if expired < datetime.now(UTC):
            raise OdysseyError(
                f"Events expire after {days} days and the oldest counted one is of {oldest}: "
                "some are gone, so a recount cannot match.",
                "Verify within that time, or deploy without aggregator_event_ttl_days.",
            )

    def _scan(
        self, output: str, projection: str, names: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        dynamodb = self._target.client("dynamodb")
        request: dict[str, Any] = {
            "TableName": self.outputs[output],
            "ProjectionExpression": projection,
            "ConsistentRead": True,
        }
        if names:
            request["ExpressionAttributeNames"] = names
        for page in dynamodb.get_paginator("scan").paginate(**request):
            yield from page["Items"]


def sample(number: int, **fields: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return the body of a sample event; ten different ones, in turn, make ten groups."""
    data = {"message": "Test event data", "value": number % 10, **fields}
    return json.dumps(data, ensure_ascii=False).encode()
