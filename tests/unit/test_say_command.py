"""What `odyssey pubsub say` says of what was said, and of what was refused."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import get_args, get_type_hints

import pytest
import urllib3
from typer.testing import CliRunner

from odyssey_cli.__main__ import app
from odyssey_cli.commands import pubsub as commands
from odyssey_cli.flows.http import Answer
from pubsub.ways import WAYS
from tests.unit.speaking import COUNTED, FakeSpeaker, error_of, problem, put_in_place, run


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> FakeSpeaker:
    return put_in_place(monkeypatch)


def test_the_group_is_one_of_the_command_line() -> None:
    result = CliRunner().invoke(app, ["pubsub", "--help"])
    assert result.exit_code == 0
    for command in ("say", "top", "word", "logs", "failures", "slack-setup"):
        assert f"{command} " in result.output


def test_every_way_in_is_a_choice_and_no_other_is() -> None:
    hint = get_type_hints(commands.say)["way"]
    assert get_args(hint) == WAYS
    result = run("say", "hello", "--as", "fax")
    assert result.exit_code == 2
    assert "'slash'" in result.output


@pytest.mark.parametrize(
    ("way", "shown"),
    [
        ("curl", "&lt;b&gt; &amp; 1"),
        ("slash", "<b> & 1"),
        ("webhook", "<b> & 1"),
    ],
)
def test_an_answer_is_shown_as_it_is_read_there(way: str, shown: str, speaker: FakeSpeaker) -> None:
    speaker.api.answers = [Answer(200, "application/json", {"text": "&lt;b&gt; &amp; 1"})]
    result = run("say", "<b> &", "--as", way)
    assert (result.exit_code, result.stdout) == (0, f"{shown}\n")


@pytest.mark.parametrize("body", [{"ok": True}, "", {"text": 7}])
def test_an_answer_that_nobody_is_shown_is_said_to_be_none(
    body: object, speaker: FakeSpeaker
) -> None:
    speaker.api.answers = [Answer(200, "application/json", body)]
    assert "shows no answer" in run("say", "hello", "--as", "event").stdout


def test_markup_and_control_characters_of_an_answer_are_shown_as_they_are(
    speaker: FakeSpeaker,
) -> None:
    speaker.api.answers = [Answer(200, "application/json", {"text": "[red]x[/red] \x1b[2J 😀"})]
    assert run("say", "x").stdout == "[red]x[/red] \\x1b[2J 😀\n"


@pytest.mark.parametrize("text", ["-v", "--as", "😀 \x1b[31m [red]", ""])
def test_any_text_can_be_said(text: str, speaker: FakeSpeaker) -> None:
    assert run("say", "--", text).exit_code == 0
    [(_, path, _, body)] = speaker.api.asked
    assert path == "words"
    assert json.loads(body or b"") == {"text": text}


def test_the_same_delivery_is_sent_as_often_as_one_likes(speaker: FakeSpeaker) -> None:
    # WHEN
    result = run("say", "hello", "--times", "3", "--id", "mine", "--json")
    # THEN each is the same request, and each answer is a line of JSON
    assert len(speaker.api.asked) == 3
    assert speaker.api.asked[0] == speaker.api.asked[1] == speaker.api.asked[2]
    assert speaker.api.asked[0][2]["idempotency-key"] == "mine"
    expected = {"id": "mine", "status": 200, "body": COUNTED.body}
    assert [json.loads(each) for each in result.stdout.splitlines()] == [expected] * 3


def test_without_an_id_each_run_is_another_delivery(speaker: FakeSpeaker) -> None:
    run("say", "hello")
    run("say", "hello")
    first, second = (headers["idempotency-key"] for _, _, headers, _ in speaker.api.asked)
    assert first != second


@pytest.mark.parametrize("name", ["", "a b", "Åsa", "a\n", "x" * 256])
def test_an_id_that_can_name_no_delivery_is_refused_before_anything_is_sent(
    name: str, speaker: FakeSpeaker
) -> None:
    error = error_of(run("say", "hello", "--id", name))
    assert "cannot name a delivery" in error.problem
    assert "255 visible ASCII" in error.remedy
    assert speaker.api.asked == []


@pytest.mark.parametrize("command", ["say", "word"])
def test_what_is_not_utf_8_is_refused_before_anything_is_sent(
    command: str, speaker: FakeSpeaker
) -> None:
    error = error_of(run(command, "caf\udce9"))
    assert r"is not UTF-8: 'caf\udce9'" in error.problem
    assert speaker.api.asked == []


@pytest.mark.parametrize(
    ("answer", "said", "remedy"),
    [
        (problem(400, "no-words"), "400: That will not do.", "a letter, a digit or an emoji"),
        (problem(400, "message-too-long"), "400: That", "several messages"),
        (problem(400, "too-many-words"), "400: That", "several messages"),
        (problem(400, "word-too-long"), "400: That", "shorter words"),
        (problem(413, "body-too-large"), "413: That", "several messages"),
        (problem(422, "idempotency-key-reused"), "422: That", "another --id"),
        (problem(401, "unauthorized"), "401: That", "wait a minute"),
        (problem(400, "something-new"), "400: That", "./odyssey logs Counter"),
        (problem(503, "not-published"), "503: That", "again with --id mine"),
        (Answer(429, "application/json", {"message": "Too Many"}), "429: Too Many", "throttle"),
        (Answer(500, "application/json", {"message": "Oops"}), "500: Oops", "--id mine"),
        (Answer(502, "text/html", "bad gateway"), "502: bad gateway", "--id mine"),
        (Answer(404, "text/plain", ""), "404: nothing", "./odyssey logs Counter"),
    ],
)
def test_a_refusal_is_what_is_wrong_and_what_to_do(
    answer: Answer, said: str, remedy: str, speaker: FakeSpeaker
) -> None:
    speaker.api.answers = [answer]
    result = run("say", "hello", "--id", "mine")
    error = error_of(result)
    assert result.exit_code != 0
    assert result.stdout == ""
    assert error.problem.startswith(f"The API answered {said}")
    assert remedy in error.remedy


def test_a_refusal_ends_the_repetitions_and_is_in_the_json_too(speaker: FakeSpeaker) -> None:
    speaker.api.answers = [COUNTED, problem(503, "unavailable"), COUNTED]
    result = run("say", "hello", "--times", "3", "--json")
    error_of(result)
    statuses = [json.loads(each)["status"] for each in result.stdout.splitlines()]
    assert statuses == [HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE]
    assert len(speaker.api.asked) == 2


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("say", "hello", "--id", "mine"), "Send it again with --id mine"),
        (("top",), "./odyssey status"),
        (("word", "hello"), "./odyssey status"),
    ],
)
def test_an_api_that_does_not_answer_is_said_to(
    arguments: tuple[str, ...], remedy: str, speaker: FakeSpeaker
) -> None:
    speaker.api.answers = [urllib3.exceptions.HTTPError("connection refused")]
    error = error_of(run(*arguments))
    assert error.problem == "The API has not answered: connection refused."
    assert remedy in error.remedy
