"""What `odyssey pubsub` shows of what was counted and logged, and of how to set up Slack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from odyssey_cli.cloud import Cloud
from odyssey_cli.commands import pubsub as commands
from odyssey_cli.flows.http import Answer
from odyssey_cli.target import Target
from tests.unit.redriving import FakeFormation
from tests.unit.speaking import FakeSpeaker, error_of, problem, put_in_place, run

SECRET = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:PubSub-Slack-a1b2c3"


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> FakeSpeaker:
    return put_in_place(monkeypatch)


def counts(word: str, count: int, occurrences: int) -> dict[str, Any]:
    return {"word": word, "count": count, "occurrences": occurrences}


def line(word: str, message_id: str = "m-1", **changes: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-11-21 13:00:00,123+0100",
        "word": word,
        "occurrences": 2,
        "way": "curl",
        "message_id": message_id,
        "function_name": "Logger",
        **changes,
    }


def test_top_says_of_which_words_points_are_still_to_come(speaker: FakeSpeaker) -> None:
    # GIVEN one word that the multiplier has had all of, and one of which it lacks a message
    words = [counts("åsa", 22, 2), counts("[b]\x1b", 12, 2)]
    speaker.api.answers = [Answer(200, "application/json", {"words": words})]
    # WHEN
    result = run("top", "--limit", "7")
    # THEN
    assert speaker.api.asked[0][1] == "words?limit=7"
    [asa] = [each for each in result.stdout.splitlines() if "åsa" in each]
    [other] = [each for each in result.stdout.splitlines() if "[b]\\x1b" in each]
    assert "still to come" not in asa
    assert "points still to come" in other
    assert "odyssey pubsub failures" in result.stderr


@pytest.mark.parametrize("count", [11, 12])
def test_when_no_points_are_to_come_none_are_spoken_of(count: int, speaker: FakeSpeaker) -> None:
    words = [counts("hello", count, 1)]
    speaker.api.answers = [Answer(200, "application/json", {"words": words})]
    result = run("top")
    assert "points" not in result.output


def test_top_as_json_is_what_the_api_answers(speaker: FakeSpeaker) -> None:
    words = {"words": [counts("åsa 😀", 1, 1)]}
    speaker.api.answers = [Answer(200, "application/json", words)]
    result = run("top", "--json")
    assert json.loads(result.stdout) == words
    assert "åsa 😀" in result.stdout


def test_before_anybody_has_said_anything_top_says_how_to(speaker: FakeSpeaker) -> None:
    speaker.api.answers = [Answer(200, "application/json", {"words": []})]
    assert "odyssey pubsub say" in run("top").stdout
    assert json.loads(run("top", "--json").stdout) == {"words": []}


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_no_other_limit_is_sent(limit: str, speaker: FakeSpeaker) -> None:
    assert run("top", "--limit", limit).exit_code == 2
    assert speaker.api.asked == []


def test_a_word_is_found_however_it_is_written(speaker: FakeSpeaker) -> None:
    speaker.api.answers = [Answer(200, "application/json", counts("r&d", 1, 1))]
    written, counted = run("word", "“R&D”!"), run("word", "r&d", "--json")
    assert speaker.api.asked[0][1] == speaker.api.asked[1][1]
    assert "r&d" in written.stdout
    assert "points still to come" in written.stdout
    assert json.loads(counted.stdout) == counts("r&d", 1, 1)


def test_a_word_that_nobody_has_said_is_an_error(speaker: FakeSpeaker) -> None:
    speaker.api.answers = [problem(404, "unknown-word")]
    assert error_of(run("word", "Hello")).problem == "Nobody has said hello yet."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("two words", '"two words" is 2 words.'),
        ("—", '"—" is no word.'),
        ("", '"" is no word.'),
        ("a\x1bb", r'"a\u001bb" is 2 words.'),
        ("x" * 257, "has 257 bytes"),
    ],
)
def test_what_is_not_one_word_is_refused_before_anything_is_sent(
    text: str, said: str, speaker: FakeSpeaker
) -> None:
    assert said in error_of(run("word", text)).problem
    assert speaker.api.asked == []


@pytest.mark.parametrize("command", [("top",), ("word", "hello")])
def test_what_the_reader_refuses_is_an_error(
    command: tuple[str, ...], speaker: FakeSpeaker
) -> None:
    speaker.api.answers = [problem(503, "unavailable")]
    assert "503" in error_of(run(*command)).problem


def test_a_word_of_a_message_is_shown_once_however_often_it_was_logged(
    speaker: FakeSpeaker,
) -> None:
    # GIVEN a delivery that came twice, and another message with the same word
    speaker.lines = [line("a"), line("b"), line("a"), line("b"), line("a", "m-2", way="slash")]
    # WHEN
    result = run("logs")
    # THEN
    assert result.stdout.splitlines() == [
        "2026-11-21T12:00:00.123Z  a  2  curl  m-1",
        "2026-11-21T12:00:00.123Z  b  2  curl  m-1",
        "2026-11-21T12:00:00.123Z  a  2  slash  m-2",
    ]


def test_logs_as_json_are_lines_of_what_there_is_to_know(speaker: FakeSpeaker) -> None:
    speaker.lines = [line("åsa"), line("åsa"), line("b")]
    lines = [json.loads(each) for each in run("logs", "--json").stdout.splitlines()]
    assert [each["word"] for each in lines] == ["åsa", "b"]
    assert lines[0] == {
        "time": "2026-11-21T12:00:00.123Z",
        "word": "åsa",
        "occurrences": 2,
        "way": "curl",
        "message_id": "m-1",
    }


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"timestamp": "yesterday\x1b"}, "yesterday\\x1b  a  2  curl  m-1"),
        ({"way": "[red]\x07"}, "2026-11-21T12:00:00.123Z  a  2  [red]\\x07  m-1"),
    ],
)
def test_a_line_that_is_not_as_expected_is_shown_safely(
    changes: dict[str, str], shown: str, speaker: FakeSpeaker
) -> None:
    speaker.lines = [line("a", **changes)]
    assert run("logs").stdout == f"{shown}\n"


def test_logs_go_back_as_far_as_one_says(
    speaker: FakeSpeaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 10_000.0)
    result = run("logs", "--since", "2h")
    assert speaker.since == 2_800_000
    assert result.stdout == ""
    assert "in the last 2h" in result.stderr
    run("logs")
    assert speaker.since == 9_400_000


def test_a_since_that_is_no_time_is_refused(speaker: FakeSpeaker) -> None:
    assert "no length of time" in error_of(run("logs", "--since", "ever")).problem


def test_failures_are_those_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(commands, "resolve", lambda name, *, yes: (name, yes))
    monkeypatch.setattr(
        commands, "show_failures", lambda to, stack, *, as_json: shown.append((to, stack, as_json))
    )
    run("failures", "--target", "aws", "--yes", "--json")
    assert shown == [(("aws", True), "PubSub", True)]


def slack_setup(monkeypatch: pytest.MonkeyPatch, local: Cloud | None) -> str:
    url = "https://a1b2.execute-api.eu-north-1.amazonaws.com"
    formation = FakeFormation(outputs={"ApiUrl": url, "SlackSecretArn": SECRET})
    monkeypatch.setattr(Target, "client", lambda *_, **__: formation)
    monkeypatch.setattr(commands, "resolve", lambda *_, **__: Target({}, Path(), local))
    return str(run("slack-setup").stdout)


def test_the_steps_for_slack_name_address_secret_and_all_three_ways(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = slack_setup(monkeypatch, None)
    assert "https://a1b2.execute-api.eu-north-1.amazonaws.com/slack\n" in said
    assert f"--secret-id {SECRET} " in said
    assert "--region eu-north-1 " in said
    assert '--secret-string "file://$file"' in said
    for needed in ("commands", "app_mentions:read", "app_mention.", "Outgoing WebHooks"):
        assert needed in said
    for name in ("signing_secret", "verification_token"):
        assert f'"{name}": "…"' in said
    assert "within a minute" in said
    assert "loopback" not in said


def test_of_the_local_cloud_it_is_said_that_slack_cannot_reach_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local = Cloud(4566, "http://127.0.0.1:4566", 1, Path(), 0.0, 1.0)
    said = slack_setup(monkeypatch, local)
    assert said.startswith("This is the local cloud.")
    assert "loopback address, which Slack cannot reach" in " ".join(said.split())
    assert "http://127.0.0.1:4566/_aws/execute-api/a1b2/slack\n" in said
