"""The figures of a run, and the lines that send a request again."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from odyssey_cli import paths
from odyssey_cli.__main__ import app
from odyssey_cli.errors import OdysseyError
from odyssey_cli.fuzz import described, runner, sending
from odyssey_cli.fuzz.clients import canonical, is_unauthentic
from odyssey_cli.fuzz.report import Failure, Report, curl
from odyssey_cli.fuzz.runner import Tried
from odyssey_cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

BODIES = [
    b'{"a":"\xc3\xa5"}',
    b"it's $HOME `id` \\ %s %% !",
    b"\x00\xff\xfe",
    b"line\nbreak\ttab",
    b" " * 20_000,
    b"'" * 20_000,
    b"\\" * 20_000,
    b"\x00" * 20_000,
    b"-n",
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_line_pipes_the_very_bytes_of_the_body(body: bytes) -> None:
    line = curl("POST", "http://127.0.0.1/words", {}, body, signed=False)
    printing, _, sending = line.rpartition(" | ")
    printed = subprocess.run(["sh", "-c", printing], capture_output=True, check=True).stdout
    assert printed == body
    assert shlex.split(sending)[-3:] == ["--data-binary", "@-", "http://127.0.0.1/words"]
    assert len(line) < 30_000


def test_a_line_has_the_headers_and_signs_with_the_shells_own_keys() -> None:
    headers = {"Content-Type": "a/b", "X-Empty": "", "Authorization": "secret", "Host": "h"}
    words = shlex.split(curl("GET", "http://h/a?b=c&d", headers, b"", signed=True))
    assert words[:1] == ["curl"]
    assert words[words.index("--request") + 1] == "GET"
    assert "--aws-sigv4" in words
    assert [words[n + 1] for n, word in enumerate(words) if word == "--header"] == [
        "Content-Type: a/b",
        "X-Empty;",
    ]
    assert "secret" not in " ".join(words)
    assert words[-1] == "http://h/a?b=c&d"


def test_a_line_shows_a_token_from_the_shell() -> None:
    line = curl("GET", "http://h/", {"authorization": "Bearer secret"}, b"", signed=False)
    assert '--header "Authorization: Bearer $TOKEN"' in line


@pytest.mark.parametrize(
    ("query", "signed"),
    [
        ("", ""),
        ("a", "a="),
        ("a=1&b", "a=1&b="),
        ("a[]=1", "a%5B%5D=1"),
        ("a=b==", "a=b%3D%3D"),
        ("a=%7E%2d", "a=~-"),
        ("a=+%20%2B", "a=%20%20%2B"),
        ("a=%zz", "a=%25zz"),
        ("a=%FF", "a=%EF%BF%BD"),
        ("a=%c3%a5", "a=%C3%A5"),
    ],
)
def test_a_query_is_signed_as_it_is_read(query: str, signed: str) -> None:
    assert canonical(query) == signed


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b"", True),
        (403, b'{"type":"urn:aws-odyssey:problem:INVALID_SIGNATURE"}', True),
        (403, b'{"type":"urn:aws-odyssey:problem:MISSING_AUTHENTICATION_TOKEN"}', False),
        (400, b'{"type":"urn:aws-odyssey:problem:INVALID_SIGNATURE"}', False),
    ],
)
def test_who_is_not_let_in_has_tried_nothing(status: int, body: bytes, expected: bool) -> None:
    assert is_unauthentic(status, body) is expected


GOOD = Report("PubSub", 7, cases=3, seconds=1.25)
BAD = Report(
    "PubSub", 7, cases=2, failed_cases=1, seconds=0.5,
    failures=[Failure("GET /words", "it was answered 500", "curl x")],
)  # fmt: skip


def fuzz(monkeypatch: pytest.MonkeyPatch, tried: Sequence[Tried], *arguments: str) -> Any:
    asked: dict[str, Any] = {}

    def pretend(stacks: list[str], **options: Any) -> Sequence[Tried]:
        asked.update(options, stacks=stacks)
        return tried

    monkeypatch.setattr(runner, "fuzz", pretend)
    result = CliRunner().invoke(app, ["fuzz", *arguments])
    return result, asked


def test_the_command_prints_the_figures_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = [Tried("PubSub", GOOD, replace(GOOD, stack="PubSub"))]
    result, asked = fuzz(monkeypatch, tried, "PubSub", "--examples", "9", "--seed", "7")
    assert result.exit_code == 0
    assert "6 cases tried, 6 passed, 2.50 s" in result.stdout
    assert "--seed 7" in result.stdout
    assert (asked["stacks"], asked["examples"], asked["seed"]) == (["PubSub"], 9, 7)


def test_a_failure_is_shown_with_its_line_and_fails_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result, _ = fuzz(monkeypatch, [Tried("PubSub", GOOD, BAD)], "--seed", "7")
    assert isinstance(result.exception, OdysseyError)
    assert result.exception.problem == "The APIs failed 1 check."
    assert "PubSub GET /words: it was answered 500" in result.stdout
    assert "curl x" in result.stdout
    assert "5 cases tried, 4 passed" in result.stdout


def test_the_figures_are_there_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = fuzz(monkeypatch, [Tried("PubSub", GOOD, BAD)], "--seed", "7", "--json")
    told = json.loads(result.stdout)
    assert (told["ok"], told["seed"]) == (False, 7)
    assert told["figures"] == {"tried": 5, "passed": 4, "seconds": 1.75}
    [api] = told["apis"]
    assert (api["hostile"]["ok"], api["described"]["ok"]) == (True, False)
    assert api["described"]["failures"] == [vars(BAD.failures[0])]


def test_without_a_seed_there_is_another_one_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = {fuzz(monkeypatch, [Tried("PubSub", GOOD, GOOD)])[1]["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_nothing_tried_is_nothing_proved() -> None:
    assert not Report("PubSub", 7).ok


NOTHING = Report("PubSub", 7)
IN_PART = replace(GOOD, described=frozenset({"GET /words", "POST /slack"}))
IN_PART.operations["GET /words"] = 3
FAILED = replace(GOOD, failed_cases=1)


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        ([], "no API"),
        ([Tried("PubSub", NOTHING, NOTHING)], "PubSub no operation (hostile)"),
        ([Tried("PubSub", GOOD, NOTHING)], "PubSub no operation (described)"),
        ([Tried("PubSub", IN_PART, GOOD)], "PubSub POST /slack (hostile)"),
        ([Tried("PubSub", GOOD, GOOD), Tried("Consumer", GOOD, IN_PART)], "Consumer POST /slack"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_fails_unless_every_operation_was_tried_in_both_ways(
    monkeypatch: pytest.MonkeyPatch, tried: Sequence[Tried], said: str, *, as_json: bool
) -> None:
    result, _ = fuzz(monkeypatch, tried, *(["--json"] if as_json else []))
    assert result.exit_code == 1
    assert isinstance(result.exception, OdysseyError)
    assert said in result.exception.problem
    if as_json:
        assert json.loads(result.stdout)["ok"] is False


def test_the_command_fails_for_a_failed_case_of_which_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert fuzz(monkeypatch, [Tried("PubSub", GOOD, FAILED)])[0].exit_code == 1


def test_what_was_not_tried_is_known_from_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an API of two operations, of which one is left out by one of the two ways
    made: dict[str, Any] = {"paths": {"/words": {"get": {}}, "/slack": {"post": {}}}}
    both = replace(GOOD, operations=Counter({"GET /words": 2, "POST /slack": 1}))
    one = replace(GOOD, operations=Counter({"GET /words": 3}))
    monkeypatch.setattr(runner, "client_of", lambda *_: nullcontext())
    monkeypatch.setattr(sending, "fuzz", lambda *_, **__: both)
    monkeypatch.setattr(described, "fuzz", lambda *_, **__: one)
    # WHEN
    tried = runner.attempt("PubSub", made, Target({}, paths.STATE, None), examples=1, seed=1)
    # THEN
    assert (tried.hostile.untried, tried.described.untried) == ([], ["POST /slack"])
    assert (tried.hostile.ok, tried.described.ok) == (True, False)


def test_a_stack_without_an_api_is_an_error() -> None:
    with pytest.raises(OdysseyError, match="Discovery has no API"):
        runner.fuzz(["Discovery"], examples=1, seed=1, step=print)
