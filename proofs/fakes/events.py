"""An in-memory EventBridge client that refuses what EventBridge refuses; calls are counted with
DynamoDB's.

Its rules are those of local_cloud/event_delivery.py, which cites them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud.event_delivery import entry_refusal, request_refusal
from proofs.fakes.dynamodb import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs.fakes.dynamodb import FakeDynamoDB


@dataclass
class FakeEvents:
    """Buses by name.

    Attributes:
        dynamodb: whose hooks and numbers the calls share.
        buses: the entries that each bus took, oldest first.
        refuse_next: the places, from 0, of the entries that each of the next calls refuses.
        code: the error of these.
    """

    dynamodb: FakeDynamoDB
    buses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refuse_next: list[set[int]] = field(default_factory=list)
    code: str = "ThrottlingException"
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        call = self.dynamodb.begin("PutEvents", {"Entries": Entries})
        if request_refusal(Entries) is not None:
            raise refusal("ValidationException", call.operation)
        refused = self.refuse_next.pop(0) if self.refuse_next else set()
        results = [
            self._put(entry, is_refused=place in refused) for place, entry in enumerate(Entries)
        ]
        self.dynamodb.after(call)
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedEntryCount": failed, "Entries": results}

    def _put(self, entry: dict[str, Any], *, is_refused: bool) -> dict[str, str]:
        if is_refused:
            return {"ErrorCode": self.code, "ErrorMessage": "So says the fake."}
        if problem := entry_refusal(entry):
            return {"ErrorCode": problem[0], "ErrorMessage": problem[1]}
        self.buses.setdefault(entry["EventBusName"], []).append(entry)
        return {"EventId": f"event-{next(self._numbers)}"}
