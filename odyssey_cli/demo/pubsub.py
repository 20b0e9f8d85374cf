"""Drives the word counter as Slack and curl would, and accounts for every word."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import Counter
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

import urllib3

from odyssey_cli import load
from odyssey_cli.demo import pubsub_failures
from odyssey_cli.demo.checks import expect
from odyssey_cli.demo.pubsub_drive import ODD, POINTS, Drive
from odyssey_cli.demo.pubsub_edge import REFUSED, UNAUTHENTIC
from odyssey_cli.flows.pubsub import STACK
from pubsub.credentials import MIN_AGE_SECONDS
from pubsub.ways import EVENT, WAYS, WEBHOOK
from pubsub.words import read_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.demo.checks import Checks
    from odyssey_cli.flows.http import Answer
    from odyssey_cli.flows.pubsub.requests import Request
    from odyssey_cli.target import Target

STACKS = [STACK]
_MESSAGES, _CONCURRENCY, _TRIES = 300, 300, 5
_STEADY = 50
# Slack gives up on an answer after three seconds.
_PATIENCE_OF_SLACK = 3.0


def run(target: Target, checks: Checks) -> None:
    """Make all checks of the flow; the stack is deployed and empty."""
    drive = Drive(target)
    with drive.while_broken:
        for name, step in STEPS:
            with checks.check(name) as check:
                check.detail = step(drive)


def _four_ways(drive: Drive) -> str:
    # WHEN the same is said by each way in
    for way in WAYS:
        drive.say(ODD, way=way)
    # THEN counter, multiplier and logger have the same words, byte for byte
    drive.wait_until_settled()
    words = {word.text for word in read_words(ODD)}
    counts = drive.speaker.counts()
    expect(counts.keys() == words, f"other words count: {counts.keys() ^ words}")
    expect(set(counts.values()) == {(POINTS * len(WAYS), len(WAYS))}, f"the counts are {counts}")
    logged = {way: {line["word"] for line in drive.logged() if line["way"] == way} for way in WAYS}
    different = {way: words ^ seen for way, seen in logged.items() if seen != words}
    expect(not different, f"other words are logged: {different}")
    return f"{', '.join(WAYS)}: {' '.join(word.text for word in read_words(ODD))}"


def _answers(drive: Drive) -> str:
    # An answer says the counts of now, without the points that are still to come.
    word = f"hello-{uuid.uuid4().hex[:6]}"
    first = str(drive.say(f"{word}, {word}!", way="slash").body["text"])
    expect(f"Counted 2 words: {word} 2." in first, f"the answer is {first!r}")
    return first


def _three_times(drive: Drive) -> str:
    for way in WAYS:
        # GIVEN a delivery that went through
        delivery, word = uuid.uuid4().hex, f"once-{way}"
        drive.say(word, way=way, delivery=delivery)
        drive.wait_until_settled()
        # WHEN it comes again, as Slack marks that
        for number in (1, 2):
            again = drive.speaker.request(word, way=way, delivery=delivery)
            retry = {"x-slack-retry-num": str(number), "x-slack-retry-reason": "http_timeout"}
            answer = drive.speaker.send(replace(again, headers={**again.headers, **retry}))
            expect(answer.status == HTTPStatus.OK, f"a retry was answered {answer.status}")
        # THEN it counts once
        count = drive.speaker.word(word)
        expect(count == {"word": word, "count": POINTS, "occurrences": 1}, f"{word}: {count}")
    return f"each of {', '.join(WAYS)}: 1 occurrence, {POINTS} points"


def _unauthentic(drive: Drive) -> str:
    return _none_of(drive, UNAUTHENTIC, HTTPStatus.UNAUTHORIZED)


def _refused(drive: Drive) -> str:
    return _none_of(drive, REFUSED, None)


def _none_of(
    drive: Drive,
    makers: dict[str, Callable[[Drive], Request]],
    status: HTTPStatus | None,
) -> str:
    """Send requests that must be refused as problems (or, from bots, be ignored)."""
    before = drive.stored()
    seen: Counter[int] = Counter()
    for name, make in makers.items():
        answer = drive.speaker.send(make(drive))
        expected = status or HTTPStatus(int(name.partition(" ")[0]))
        expect(answer.status == expected, f"{name}: {answer.status} {answer.body}")
        if expected != HTTPStatus.OK:
            expect("problem+json" in answer.content_type, f"{name}: {answer.content_type}")
        seen[answer.status] += 1
    expect(drive.stored() == before, "something was stored")
    return f"{', '.join(f'{n} of {code}' for code, n in sorted(seen.items()))}; nothing stored"


def _many(drive: Drive) -> str:
    # Some words are in every message, so that all of them meet; one is its own.
    texts = [f"the fox says n{number % 50}" for number in range(_MESSAGES)]
    said = [WAYS[number % len(WAYS)] for number in range(_MESSAGES)]

    # Who gets no answer, or is told to come again, sends the same delivery again.
    def send(number: int) -> Answer:
        made = {"way": said[number], "delivery": f"flood-{number}"}
        return _until_taken(drive, lambda: drive.speaker.say(texts[number], **made))

    report = load.run(
        send,
        expected=HTTPStatus.OK,
        concurrency=_CONCURRENCY,
        requests=_MESSAGES,
    )
    expect(not report.failed, f"{report.failed} failed: {dict(report.failures)}")
    for text in texts:
        drive.note(text)
    drive.wait_until_settled()
    return (
        f"p95 of the answer {report.percentile(95):.2f} s, median {report.percentile(50):.2f} s, "
        f"{report.rate:.0f} a second, {drive.retried} sent again; totals exact"
    )


def _until_taken(drive: Drive, say: Callable[[], Answer]) -> Answer:
    """Send a delivery until it is taken, at most `_TRIES` times."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if (answer := say()).status == HTTPStatus.OK:
                return answer
        drive.retried += 1
        time.sleep(0.5)
    return say()


def _one_by_one(drive: Drive) -> str:
    report = load.run(
        lambda n: drive.speaker.say(f"steady s{n % 10}", way=WAYS[n % len(WAYS)]),
        expected=HTTPStatus.OK,
        concurrency=2,
        requests=_STEADY,
    )
    expect(not report.failed, f"{report.failed} failed: {dict(report.failures)}")
    for n in range(_STEADY):
        drive.note(f"steady s{n % 10}")
    p95 = report.percentile(95)
    expect(p95 < _PATIENCE_OF_SLACK, f"the p95 of the answer is {p95:.2f} s")
    return f"p95 of the answer {p95 * 1000:.0f} ms, of {_PATIENCE_OF_SLACK:.0f} s that Slack waits"


def _rotation(drive: Drive) -> str:
    # WHEN Slack's secrets change, THEN the new ones are good at once, without a deployment
    drive.rotate(signing_secret=uuid.uuid4().hex, verification_token=uuid.uuid4().hex)
    for way in (EVENT, WEBHOOK):
        begun = time.monotonic()
        while (answer := drive.speaker.say("rotated", way=way)).status == HTTPStatus.UNAUTHORIZED:
            expect(time.monotonic() - begun < 2 * MIN_AGE_SECONDS, "it is still refused")
            time.sleep(0.5)
        expect(answer.status == HTTPStatus.OK, f"{way} was answered {answer.status}")
        drive.note("rotated")
    return "a new signing secret and verification token, taken without a deployment"


def _leaderboard(drive: Drive) -> str:
    drive.wait_until_settled()
    counts = drive.speaker.counts()
    top = drive.speaker.top(5)
    best = sorted((count for count, _ in counts.values()), reverse=True)[:5]
    expect([each["count"] for each in top] == best, f"the leaderboard is {top}")
    return ", ".join(f"{each['word']} {each['count']}" for each in top)


def _account(drive: Drive) -> str:
    drive.wait_until_settled()
    counts = drive.speaker.counts()
    said = {word: (POINTS * number, number) for word, number in drive.said.items()}
    expect(counts == said, f"differ: {[w for w in counts | said if counts.get(w) != said.get(w)]}")
    lines = Counter((line["message_id"], line["word"]) for line in drive.logged())
    twice = [each for each, number in lines.items() if number > 1]
    # What is sent again before the multiplier has had it is published, and logged, again.
    messages = {message for message, _ in twice}
    expect(len(messages) <= drive.retried, f"logged more than once: {twice[:3]}")
    logged: Counter[str] = Counter()
    for line in drive.occurrences().values():
        logged[line["word"]] += line["occurrences"]
    expect(logged == drive.said, "the log has other occurrences than were said")
    left = drive.waiting()
    expect(not left, f"{left} failures wait")
    total = sum(drive.said.values())
    return f"{total} occurrences, {POINTS} points each; {len(lines)} log lines, each word once"


STEPS: list[tuple[str, Callable[[Drive], str]]] = [
    ("by each of the four ways in, all three functions have the same words", _four_ways),
    ("a message breaks the multiplier half-way", pubsub_failures.break_the_multiplier),
    ("what is no message of ours breaks a logger that may not reject it", pubsub_failures.foreign),
    ("the answer says the counts of that moment", _answers),
    ("the same delivery sent three times counts once", _three_times),
    ("every way to be unauthentic is a 401 and stores nothing", _unauthentic),
    ("what is too long is refused, what a bot says is ignored", _refused),
    (f"{_STEADY} messages are answered within Slack's three seconds", _one_by_one),
    (f"{_MESSAGES} concurrent messages are counted exactly", _many),
    (
        "a message that could not be published is told of, and completed once",
        pubsub_failures.unpublished,
    ),
    ("a subscriber out of reach misses nothing", pubsub_failures.out_of_reach),
    (
        "what is no message of ours is rejected by both subscribers in the end",
        pubsub_failures.foreign_at_last,
    ),
    (
        "the multiplier's half message is finished, and counts are exact",
        pubsub_failures.mend_the_multiplier,
    ),
    ("secrets are rotated without a deployment", _rotation),
    ("the leaderboard reads right", _leaderboard),
    ("at the end every occurrence counts 11 and is logged once", _account),
]
