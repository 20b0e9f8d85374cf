"""How a function's response is read, for streams and queues alike."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from local_cloud.delivery import reported_failures
from tests.conformance.pages import DYNAMODB_PARTIAL, QUEUE_ERRORS, Page
from tests.conformance.sources import failures

SENT = ("1", "2", "3")
NONE: frozenset[str] = frozenset()
WHOLE_BATCH = None


@dataclass(frozen=True)
class Case:
    says: str
    response: object
    failed: frozenset[str] | None
    page: Page = DYNAMODB_PARTIAL


CASES = [
    Case("a null response is a success", None, NONE),
    Case("an empty response is a success", {}, NONE),
    Case("an empty list is a success", {"batchItemFailures": []}, NONE),
    Case("a null list is a success", {"batchItemFailures": None}, NONE),
    Case("a response without the list has a null list", {"statusCode": 200}, NONE),
    Case("reported identifiers fail", failures("3", "1"), frozenset({"1", "3"})),
    Case("an identifier may be reported twice", failures("2", "2"), frozenset({"2"})),
    Case("an empty identifier fails the batch", failures(""), WHOLE_BATCH),
    Case("a null identifier fails the batch", failures(None), WHOLE_BATCH),
    Case(
        "an identifier under a bad key fails the batch",
        {"batchItemFailures": [{"messageId": "1"}]},
        WHOLE_BATCH,
    ),
    Case("one bad identifier among good ones fails the batch", failures("1", ""), WHOLE_BATCH),
    Case("an unknown identifier fails the batch", failures("4"), WHOLE_BATCH, QUEUE_ERRORS),
    Case("a number is no identifier", failures(1), WHOLE_BATCH, QUEUE_ERRORS),
    Case("text is no valid response", "done", WHOLE_BATCH, QUEUE_ERRORS),
    Case("a list is no valid response", [], WHOLE_BATCH, QUEUE_ERRORS),
    Case("true is no valid response", True, WHOLE_BATCH, QUEUE_ERRORS),
    Case("JSON inside text is no valid response", '{"a": 1}', WHOLE_BATCH, QUEUE_ERRORS),
    Case(
        "failures that are no list are no valid response",
        {"batchItemFailures": {"itemIdentifier": "1"}},
        WHOLE_BATCH,
        QUEUE_ERRORS,
    ),
    Case(
        "bare identifiers are no valid response",
        {"batchItemFailures": ["1"]},
        WHOLE_BATCH,
        QUEUE_ERRORS,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_response_is_read_as_documented(case: Case) -> None:
    assert reported_failures(case.response, SENT) == case.failed
