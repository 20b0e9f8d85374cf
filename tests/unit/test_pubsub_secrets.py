"""The callers' secrets: kept for a minute, rotated without a deployment, never shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ReadTimeoutError

from proofs.fakes.dynamodb import Call, refusal
from proofs.pubsub_shapes import (
    API_TOKEN,
    SIGNING_SECRET,
    VERIFICATION_TOKEN,
    curl,
    form,
    from_slack,
    slash_fields,
    top,
    webhook,
)
from pubsub.authenticity import default_verification_token
from tests.word_counter import API, SLACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.pubsub_shapes import Request
    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
NEW = "a-new-secret"
UNAVAILABLE = "urn:aws-odyssey:problem:unavailable"


def signed_by(secret: str) -> Request:
    return from_slack(form(slash_fields("a")), secret=secret)


def by_webhook(token: str) -> Request:
    return webhook("a", token=token)


def by_curl(token: str) -> Request:
    return curl({"text": "a"}, token=f"Bearer {token}")


def by_reader(token: str) -> Request:
    return top(token=f"Bearer {token}")


# How a caller shows a secret, its present value, and what stores another.
CALLERS = pytest.mark.parametrize(
    ("call", "old", "name"),
    [
        (signed_by, SIGNING_SECRET, "signing_secret"),
        (by_webhook, VERIFICATION_TOKEN, "verification_token"),
        (by_curl, API_TOKEN, "token"),
        (by_reader, API_TOKEN, "token"),
    ],
    ids=["slash", "webhook", "curl", "reader"],
)


def asked(words: WordCounter) -> int:
    return words.operations["GetSecretValue"]


@CALLERS
def test_a_secret_is_asked_for_once_a_minute(
    words: WordCounter, call: Callable[[str], Request], old: str, name: str
) -> None:
    # WHEN it is used every second for a minute
    for _ in range(60):
        assert words.post(call(old))[0] == 200
        words.pass_time(0.999)
    assert asked(words) == 1
    # THEN it is asked for again
    words.pass_time(1)
    assert words.post(call(old))[0] == 200
    assert asked(words) == 2


@CALLERS
def test_a_secret_that_was_rotated_in_is_accepted_at_once(
    words: WordCounter, call: Callable[[str], Request], old: str, name: str
) -> None:
    # GIVEN
    assert words.post(call(old))[0] == 200
    words.pass_time(5)
    # WHEN
    words.store_secrets(**{name: NEW})
    # THEN
    assert words.post(call(NEW))[0] == 200
    assert asked(words) == 2
    # AND the old one is not accepted any more
    assert words.post(call(old))[0] == 401


@CALLERS
def test_a_secret_that_was_rotated_out_is_refused_within_a_minute(
    words: WordCounter, call: Callable[[str], Request], old: str, name: str
) -> None:
    # GIVEN
    assert words.post(call(old))[0] == 200
    words.store_secrets(**{name: NEW})
    # WHEN nobody uses the new one
    words.pass_time(59.9)
    assert words.post(call(old))[0] == 200
    words.pass_time(0.1)
    # THEN
    assert words.post(call(old))[0] == 401
    assert words.post(call(NEW))[0] == 200


@CALLERS
def test_a_secret_that_is_rotated_twice_in_five_seconds_is_accepted_after_them(
    words: WordCounter, call: Callable[[str], Request], old: str, name: str
) -> None:
    # GIVEN
    assert words.post(call(old))[0] == 200
    words.store_secrets(**{name: NEW})
    words.pass_time(4.9)
    assert words.post(call(NEW))[0] == 401
    assert asked(words) == 1
    # WHEN
    words.pass_time(0.1)
    # THEN
    assert words.post(call(NEW))[0] == 200


@CALLERS
def test_who_has_no_secret_makes_us_ask_at_most_every_five_seconds(
    words: WordCounter, call: Callable[[str], Request], old: str, name: str
) -> None:
    # WHEN somebody tries twice a second for a minute, beside somebody who has it
    for _ in range(120):
        assert words.post(call("wrong"))[0] == 401
        assert words.post(call(old))[0] == 200
        words.pass_time(0.5)
    # THEN
    assert 2 <= asked(words) <= 1 + 60 / 5


def silence(call: Call) -> None:
    if call.operation == "GetSecretValue":
        raise ReadTimeoutError(endpoint_url="https://secretsmanager")


def denial(call: Call) -> None:
    if call.operation == "GetSecretValue":
        raise refusal("AccessDeniedException", call.operation)


FAILURES = pytest.mark.parametrize("fault", [silence, denial])


@FAILURES
@CALLERS
def test_without_secrets_manager_callers_are_told_to_come_again(
    words: WordCounter,
    call: Callable[[str], Request],
    old: str,
    name: str,
    fault: Callable[[Call], None],
) -> None:
    # GIVEN
    words.dynamodb.before = fault
    # WHEN
    for secret in (old, "wrong"):
        status, problem = words.post(call(secret))
        # THEN
        assert (status, problem["type"]) == (503, UNAVAILABLE)
        assert words.answer(call(secret))["headers"]["Retry-After"] == "5"
    assert words.is_untouched()
    # AND for five seconds it is not asked again, though it would answer
    words.dynamodb.before = lambda _call: None
    words.pass_time(4.9)
    assert words.post(call(old))[0] == 503
    assert asked(words) == 1
    # AND later all is well
    words.pass_time(0.1)
    assert words.post(call(old))[0] == 200
    assert asked(words) == 2


@FAILURES
@CALLERS
def test_a_secrets_manager_that_keeps_failing_is_asked_at_most_every_five_seconds(
    words: WordCounter,
    call: Callable[[str], Request],
    old: str,
    name: str,
    fault: Callable[[Call], None],
) -> None:
    # GIVEN
    words.dynamodb.before = fault
    # WHEN callers come twice a second for a minute, with and without the secret
    for number in range(120):
        assert words.post(call(old if number % 2 else "wrong"))[0] == 503
        words.pass_time(0.5)
    # THEN
    assert asked(words) == 60 / 5


@FAILURES
@CALLERS
def test_who_has_the_secret_does_not_notice_that_secrets_manager_fails_for_less_than_a_minute(
    words: WordCounter,
    call: Callable[[str], Request],
    old: str,
    name: str,
    fault: Callable[[Call], None],
) -> None:
    # GIVEN
    assert words.post(call(old))[0] == 200
    words.dynamodb.before = fault
    # WHEN others show a wrong one all the time
    for _ in range(59):
        words.pass_time(1)
        assert words.post(call("wrong"))[0] == 401
        # THEN
        assert words.post(call(old))[0] == 200
    words.pass_time(0.9)
    assert words.post(call(old))[0] == 200
    # AND after a minute nobody can tell whether it is still right
    words.pass_time(0.1)
    for secret in (old, "wrong"):
        assert words.post(call(secret))[0] == 503
    # AND when Secrets Manager is back it is
    words.dynamodb.before = lambda _call: None
    words.pass_time(5)
    assert words.post(call(old))[0] == 200


@FAILURES
@CALLERS
def test_a_secret_that_is_rotated_in_while_secrets_manager_fails_is_accepted_after_that(
    words: WordCounter,
    call: Callable[[str], Request],
    old: str,
    name: str,
    fault: Callable[[Call], None],
) -> None:
    # GIVEN
    assert words.post(call(old))[0] == 200
    words.dynamodb.before = fault
    words.store_secrets(**{name: NEW})
    words.pass_time(5)
    assert words.post(call(NEW))[0] == 401
    # WHEN
    words.dynamodb.before = lambda _call: None
    words.pass_time(5)
    # THEN
    assert words.post(call(NEW))[0] == 200
    assert words.post(call(old))[0] == 401


@FAILURES
@CALLERS
def test_who_has_no_secret_cannot_make_us_ask_a_failing_secrets_manager_more_often(
    words: WordCounter,
    call: Callable[[str], Request],
    old: str,
    name: str,
    fault: Callable[[Call], None],
) -> None:
    # GIVEN a secret that is known, and a Secrets Manager that fails
    assert words.post(call(old))[0] == 200
    words.dynamodb.before = fault
    # WHEN somebody tries twice a second for half a minute
    for _ in range(60):
        assert words.post(call("wrong"))[0] == 401
        words.pass_time(0.5)
    # THEN
    assert asked(words) == 30 / 5


BROKEN = {
    "no JSON": "hunter2",
    "cut JSON": '{"signing_secret": "hunter2", "token": "hunter2"',
    "empty": "",
    "a text": '"hunter2"',
    "a list": '["hunter2"]',
    "null": "null",
    "bytes": b"\xff\xfehunter2",
    "no such field": '{"password": "hunter2"}',
    "no texts": '{"signing_secret": {"hunter2": 1}, "verification_token": 7, "token": ["hunter2"]}',
    "empty texts": '{"signing_secret": "", "token": ""}',
}


@CALLERS
@pytest.mark.parametrize("stored", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_secret_is_a_failure_of_ours_that_shows_nothing_of_it(
    words: WordCounter, call: Callable[[str], Request], old: str, name: str, stored: str | bytes
) -> None:
    # GIVEN
    words.secrets.secrets = dict.fromkeys((SLACK, API), stored)
    # WHEN
    for secret in (old, "hunter2", ""):
        status, problem = words.post(call(secret))
        # THEN
        assert (status, problem["type"]) == (503, UNAVAILABLE)
        assert "hunter2" not in json.dumps(problem)
    assert words.is_untouched()
    assert "hunter2" not in words.log.getvalue()
    assert {line["message"] for line in words.lines} == {"failed"}


@CALLERS
@pytest.mark.parametrize("kind", ["cut JSON", "null", "no such field"])
def test_a_broken_secret_that_was_mended_is_accepted_five_seconds_later(
    words: WordCounter, call: Callable[[str], Request], old: str, name: str, kind: str
) -> None:
    # GIVEN
    words.secrets.secrets = dict.fromkeys((SLACK, API), BROKEN[kind])
    assert words.post(call(old))[0] == 503
    # WHEN
    words.store_secrets()
    words.pass_time(4.9)
    assert words.post(call(old))[0] == 503
    assert asked(words) == 1
    words.pass_time(0.1)
    # THEN
    assert words.post(call(old))[0] == 200
    assert asked(words) == 2


@FAILURES
@CALLERS
def test_a_broken_secret_stays_a_failure_of_ours_while_secrets_manager_fails(
    words: WordCounter,
    call: Callable[[str], Request],
    old: str,
    name: str,
    fault: Callable[[Call], None],
) -> None:
    # GIVEN
    words.secrets.secrets = dict.fromkeys((SLACK, API), BROKEN["null"])
    assert words.post(call(old))[0] == 503
    # WHEN
    words.dynamodb.before = fault
    for _ in range(20):
        words.pass_time(1)
        # THEN nobody is told that what they show is wrong
        for secret in (old, "wrong"):
            assert words.post(call(secret))[0] == 503
    assert asked(words) == 1 + 20 / 5


def test_one_generated_secret_lets_the_webhook_be_tried(words: WordCounter) -> None:
    # GIVEN no token of Slack's
    words.store_secrets(verification_token=None)
    made = default_verification_token(SIGNING_SECRET)
    # WHEN / THEN
    assert words.post(by_webhook(made))[0] == 200
    # AND with one, the generated is none any more
    words.store_secrets()
    words.pass_time(60)
    assert words.post(by_webhook(made))[0] == 401


def test_a_token_that_is_no_text_does_not_stop_what_is_signed(words: WordCounter) -> None:
    words.secrets.secrets[SLACK] = json.dumps(
        {"signing_secret": SIGNING_SECRET, "verification_token": 7}
    )
    assert words.post(signed_by(SIGNING_SECRET))[0] == 200
    assert words.post(by_webhook("7"))[0] == 503


def test_each_secret_is_asked_for_by_whom_it_concerns(words: WordCounter) -> None:
    words.post(signed_by(SIGNING_SECRET))
    words.post(by_curl(API_TOKEN))
    calls = [each for each in words.dynamodb.calls if each.operation == "GetSecretValue"]
    assert [each.arguments["SecretId"] for each in calls] == [SLACK, API]
