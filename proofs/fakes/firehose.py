"""An in-memory Firehose client that takes records; calls are counted with DynamoDB's.

Rules: local_cloud/firehose_delivery.py, which cites them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud.firehose_delivery import put_problem
from proofs.fakes.dynamodb import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs.fakes.dynamodb import FakeDynamoDB


@dataclass
class FakeFirehose:
    """One delivery stream.

    Attributes:
        dynamodb: whose hooks and numbers the calls share.
        taken: ids and bytes of the records that nobody has fetched yet.
        refuse_next: the places, from 0, of the records that each of the next calls refuses.
    """

    dynamodb: FakeDynamoDB
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    refuse_next: list[set[int]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803 - boto3's names
        Records: list[dict[str, bytes]],  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin("PutRecordBatch", {"Records": Records})
        if put_problem([len(each["Data"]) for each in Records]):
            raise refusal("ValidationException", call.operation)
        refused = self.refuse_next.pop(0) if self.refuse_next else set()
        answers = [
            {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
            if place in refused
            else {"RecordId": self._take(record["Data"])}
            for place, record in enumerate(Records)
        ]
        self.dynamodb.after(call)
        return {"FailedPutCount": len(refused), "RequestResponses": answers}

    def put_record(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803
        Record: dict[str, bytes],  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin("PutRecord", {"Record": Record})
        record_id = self._take(Record["Data"])
        self.dynamodb.after(call)
        return {"RecordId": record_id}

    def _take(self, data: bytes) -> str:
        record_id = f"r{next(self._numbers)}"
        self.taken.append((record_id, data))
        return record_id
