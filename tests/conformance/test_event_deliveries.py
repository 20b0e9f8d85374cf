"""EventBridge: what it takes, when it tries again, what a dead letter says, what is replayed."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import pytest

from local_cloud.event_delivery import (
    ATTEMPTS_EXHAUSTED,
    MOST_BYTES,
    TOO_OLD,
    Again,
    Failure,
    GivenUp,
    RetryPolicy,
    after,
    dead_letter_attributes,
    entry_refusal,
    entry_size,
    envelope,
    failure_of,
    replay_refusal,
    replays_to,
    request_refusal,
    retained,
)
from local_cloud.event_targets import until_taken
from tests.conformance.pages import Page

_GUIDE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/"
_API = "https://docs.aws.amazon.com/eventbridge/latest/APIReference/"
PUT = Page("PutEvents", f"{_API}API_PutEvents.html")
ENTRY = Page("PutEventsRequestEntry", f"{_API}API_PutEventsRequestEntry.html")
RESULT = Page("PutEventsResultEntry", f"{_API}API_PutEventsResultEntry.html")
SIZE = Page("Sending events with PutEvents in Amazon EventBridge", f"{_GUIDE}eb-putevents.html")
RETRIES = Page("How EventBridge retries delivering events", f"{_GUIDE}eb-rule-retry-policy.html")
POLICY = Page("RetryPolicy", f"{_API}API_RetryPolicy.html")
LETTERS = Page(
    "Using dead-letter queues to process undelivered events in EventBridge",
    f"{_GUIDE}eb-rule-dlq.html",
)
EVENTS = Page("Events in Amazon EventBridge", f"{_GUIDE}eb-events.html")
ARCHIVE = Page("CreateArchive", f"{_API}API_CreateArchive.html")
REPLAY = Page("StartReplay", f"{_API}API_StartReplay.html")
DESTINATION = Page("ReplayDestination", f"{_API}API_ReplayDestination.html")

GOOD = {"Source": "orders", "DetailType": "order", "Detail": "{}"}
THROTTLED = Failure("THROTTLING", "slow down", passes=True)
DEFAULTS = RetryPolicy()
REFUSED = Failure("NO_PERMISSIONS", "you may not")


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(
    ("says", "page", "entry", "code"),
    [
        ("the three are enough", ENTRY, GOOD, None),
        ("a source is required", ENTRY, without("Source"), "InvalidArgument"),
        ("a type is required", ENTRY, without("DetailType"), "InvalidArgument"),
        ("a detail is required", ENTRY, without("Detail"), "InvalidArgument"),
        ("a type has 128 characters", ENTRY, GOOD | {"DetailType": "é" * 128}, None),
        ("and no more", ENTRY, GOOD | {"DetailType": "é" * 129}, "InvalidArgument"),
        ("what is no JSON is malformed", RESULT, GOOD | {"Detail": "{"}, "MalformedDetail"),
        ("so is what JSON has not", RESULT, GOOD | {"Detail": '{"n": NaN}'}, "MalformedDetail"),
        ("a detail is an object", ENTRY, GOOD | {"Detail": "[]"}, "MalformedDetail"),
        ("not its text", ENTRY, GOOD | {"Detail": '"{}"'}, "MalformedDetail"),
        ("whole numbers have 64 bits", PUT, GOOD | {"Detail": f'{{"n": {2**63 - 1}}}'}, None),
        ("and no more", PUT, GOOD | {"Detail": f'{{"n": {2**63}}}'}, "MalformedDetail"),
        ("text is UTF-8", SIZE, GOOD | {"Detail": '{"n": "\ud800"}'}, "MalformedDetail"),
        ("nesting ends", PUT, GOOD | {"Detail": '{"a":' * 9999 + "1" + "}" * 9999},
         "MalformedDetail"),
    ],
)  # fmt: skip
def test_an_entry_is_taken_as_documented(
    says: str, page: Page, entry: dict[str, Any], code: str | None
) -> None:
    refused = entry_refusal(entry)

    assert (refused and refused[0]) == code, (says, page)


def test_the_size_of_an_entry_is_counted_as_in_the_example() -> None:
    # SIZE: the time is 14 bytes, everything else its UTF-8
    entry = {"Source": "é", "DetailType": "😀", "Detail": '{"ä":1}', "Resources": ["abc", "å"]}

    assert entry_size(entry) == 2 + 4 + 8 + 3 + 2
    assert entry_size(entry | {"Time": 0}) == entry_size(entry) + 14
    assert entry_size(entry | {"EventBusName": "bus", "TraceHeader": "x"}) == entry_size(entry)


def large(size: int) -> dict[str, str]:
    return GOOD | {"Detail": "x" * (size - entry_size(GOOD) + len(GOOD["Detail"]))}


@pytest.mark.parametrize(
    ("says", "page", "entries", "refused"),
    [
        ("ten at a time", PUT, [GOOD] * 10, None),
        ("and no more", PUT, [GOOD] * 11, "less than or equal to 10"),
        ("at least one", PUT, [], "greater than or equal to 1"),
        ("1 MB", PUT, [large(MOST_BYTES)], None),
        ("and no more", PUT, [large(MOST_BYTES + 1)], "over the limit"),
        ("together", PUT, [large(MOST_BYTES // 2), large(MOST_BYTES // 2 + 1)], "over the limit"),
    ],
)
def test_a_request_is_taken_as_documented(
    says: str, page: Page, entries: list[dict[str, Any]], refused: str | None
) -> None:
    refusal = request_refusal(entries)

    assert (refusal is None) == (refused is None), (says, page)
    assert (refused or "") in (refusal or "")


def test_an_event_has_the_documented_fields_and_its_detail_byte_for_byte() -> None:
    # EVENTS
    detail = '{ "n": 9007199254740993, "x":1.10, "who":"Åsa \\u00e9 😀" }'
    fields = {
        "id": "1",
        "version": "0",
        "resources": [],
        "detail-type": "café",
        "replay-name": "again",
    }

    text = envelope(fields, detail)

    assert text.endswith(f',"detail":{detail}}}')
    assert json.loads(text) == fields | {"detail": json.loads(detail)}
    assert list(json.loads(text)) == [
        "version", "id", "detail-type", "resources", "replay-name", "detail",
    ]  # fmt: skip
    assert '"café"' in text


@dataclass(frozen=True)
class Case:
    """What comes of sending an event, one after the other, and what follows.

    Attributes:
        waits: The pauses, without jitter.
        ends: What was exhausted, and after how many retries; None when the target took it.
    """

    says: str
    page: Page
    failures: list[Failure]
    waits: list[float]
    ends: tuple[str | None, int] | None = None
    policy: RetryPolicy = DEFAULTS


CASES = [
    Case("an event is delivered once", RETRIES, [], []),
    Case(
        "what passes is tried again, with exponential back-off",
        RETRIES, [THROTTLED] * 5, [1, 2, 4, 8, 16],
    ),
    Case("what cannot pass is not", LETTERS, [REFUSED], [], (None, 0)),
    Case("nor what no longer can", LETTERS, [THROTTLED, REFUSED], [1], (None, 1)),
    Case(
        "the target says how often",
        POLICY, [THROTTLED] * 3, [1, 2], (ATTEMPTS_EXHAUSTED, 2), RetryPolicy(retries=2),
    ),
    Case(
        "perhaps never", POLICY, [THROTTLED], [], (ATTEMPTS_EXHAUSTED, 0), RetryPolicy(retries=0)
    ),
    Case(
        "and for how long",
        POLICY, [THROTTLED] * 6, [1, 2, 4, 8, 16, 29], (TOO_OLD, 5), RetryPolicy(max_age=60),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_an_event_is_delivered_as_documented(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    left, waits, now = list(case.failures), list[float](), 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        waits.append(seconds)

    def attempt() -> Failure | None:
        return left.pop(0) if left else None

    given_up = until_taken(attempt, case.policy, lambda: now, sleep)

    assert (given_up and (given_up.condition, given_up.retries)) == case.ends
    assert waits == case.waits
    assert left == []


def test_a_day_and_185_retries_with_jitter_are_the_defaults() -> None:
    # RETRIES
    policy = RetryPolicy.of({})
    assert policy == RetryPolicy(retries=185, max_age=24 * 3600)
    given = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": "60"}
    assert RetryPolicy.of({"RetryPolicy": given}) == RetryPolicy(retries=0, max_age=60)

    def pauses(cut: float) -> list[float]:
        steps = [after(policy, THROTTLED, retries, 0, cut) for retries in range(186)]
        assert steps.pop() == GivenUp(THROTTLED, 185, ATTEMPTS_EXHAUSTED)
        return [step.after for step in steps if isinstance(step, Again)]

    assert len(pauses(0)) == 185
    assert all(a <= b for a, b in itertools.pairwise(pauses(0)))
    assert pauses(1) == [pause / 2 for pause in pauses(0)]
    assert 20 < sum(pauses(0.5)) / 3600 < 24


def test_a_faster_clock_shortens_only_times() -> None:
    faster = RetryPolicy(retries=3, max_age=600).sped_up(20)

    assert (faster.retries, faster.max_age) == (3, 30)
    assert (faster.first_pause, faster.longest_pause) == (0.05, 30)


@pytest.mark.parametrize(
    ("code", "kind", "passes"),
    [
        ("RequestThrottled", "THROTTLING", True),
        ("ThrottlingException", "THROTTLING", True),
        ("ServiceUnavailable", "INTERNAL_ERROR", True),
        ("AWS.SimpleQueueService.NonExistentQueue", "NO_RESOURCE", False),
        ("AccessDenied", "NO_PERMISSIONS", False),
        ("InvalidParameterValue", "INVALID_PARAMETER", False),
        ("Other", "SDK_CLIENT_ERROR", False),
    ],
)
def test_missing_permissions_and_resources_do_not_pass(code: str, kind: str, passes: bool) -> None:
    # LETTERS; the codes are of its list
    assert failure_of(code, "m") == Failure(kind, "m", passes=passes)


def test_a_dead_letter_says_in_attributes_what_was_wrong() -> None:
    # LETTERS
    rule, target = "arn:aws:events:eu-north-1:1:rule/bus/rule", "arn:aws:sqs:eu-north-1:1:queue"

    said = dead_letter_attributes(GivenUp(THROTTLED, 3, ATTEMPTS_EXHAUSTED), rule, target)

    assert {name: value["StringValue"] for name, value in said.items()} == {
        "RULE_ARN": rule,
        "TARGET_ARN": target,
        "ERROR_CODE": "THROTTLING",
        "ERROR_MESSAGE": "slow down",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "3",
    }
    at_once = dead_letter_attributes(GivenUp(REFUSED, 0), rule, target)
    assert "EXHAUSTED_RETRY_CONDITION" not in at_once
    assert at_once["RETRY_ATTEMPTS"]["StringValue"] == "0"


@pytest.mark.parametrize(("days", "kept"), [(7, [2, 3]), (8, [1, 2, 3]), (1, [3]), (0, [1, 2, 3])])
def test_an_archive_keeps_events_for_its_days(days: int, kept: list[int]) -> None:
    # ARCHIVE: "If set to 0, events are retained indefinitely"
    day = 86_400
    events = [
        {"id": 1, "ArchivedAt": 0},
        {"id": 2, "ArchivedAt": 5 * day},
        {"id": 3, "ArchivedAt": 7 * day},
    ]

    assert [event["id"] for event in retained(events, days, now=7.5 * day)] == kept


def test_a_replay_is_of_a_window_and_for_the_chosen_rules() -> None:
    # REPLAY, DESTINATION
    assert replay_refusal(1, 2) is None
    assert "must be before" in (replay_refusal(2, 2) or "")
    assert replays_to({"Arn": "bus"}, "rule")
    assert replays_to({"Arn": "bus", "FilterArns": []}, "rule")
    assert replays_to({"Arn": "bus", "FilterArns": ["other", "rule"]}, "rule")
    assert not replays_to({"Arn": "bus", "FilterArns": ["other"]}, "rule")
