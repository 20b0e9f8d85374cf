"""What the consumer's API answers is shown, and what it refuses is explained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from odyssey_cli.commands import ingest as commands
from odyssey_cli.flows.http import Answer
from odyssey_cli.flows.ingest.api import ConsumerApi
from tests.unit.ingesting import error_of, run, target  # noqa: F401 - a fixture
from tests.unit.speaking import FakeApi, problem

if TYPE_CHECKING:
    from odyssey_cli.target import Target

pytestmark = pytest.mark.usefixtures("target")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi()

    class FakeConsumer(ConsumerApi):
        def __init__(self, _: Target) -> None:
            self.client: Any = fake

    monkeypatch.setattr(commands, "_api", FakeConsumer)
    return fake


def test_totals_are_shown_with_their_sum(api: FakeApi) -> None:
    api.answers = [Answer(200, "application/json", {"totals": {"order": 2, "device": 3}})]
    shown = run("totals").stdout
    assert "order" in shown
    assert "5" in shown
    assert json.loads(run("totals", "--json").stdout) == {"totals": {"order": 2, "device": 3}}


def test_an_entity_is_shown_with_its_state(api: FakeApi) -> None:
    state = {"text": "Åsa café 😀 [red] \x1b[2J", "number": 1.5, "none": None}
    body = {"type": "order", "id": "o-1", "time": "then", "state": state}
    api.answers = [Answer(200, "application/json", body)]
    shown = run("entity", "order", "o-1").stdout
    assert "Åsa café 😀 [red] \\x1b[2J" in shown
    assert "null" in shown
    assert json.loads(run("entity", "order", "o-1", "--json").stdout) == body


def test_any_id_of_an_entity_can_be_asked_for(api: FakeApi) -> None:
    api.answers = [problem(404, "unknown-entity")]
    error = error_of(run("entity", "order", "a/b ?#%é"))
    assert error.problem == "The API answered 404: That will not do."
    assert api.asked[0][1] == "entities/order/a%2Fb%20%3F%23%25%C3%A9"


def test_what_the_api_answers_steers_no_terminal(api: FakeApi) -> None:
    name = "[/red]\x1b[2J"
    api.answers = [Answer(202, "application/json", {"event_id": name})]
    assert run("trigger", "order", "o", "--data", "{}").stdout == "[/red]\\x1b[2J  accepted\n"
    api.answers = [Answer(200, "application/json", {name: name, "state": {name: 1}})]
    assert run("entity", "order", "o").stdout.count("[/red]\\x1b[2J") == 3
    api.answers = [Answer(200, "application/json", {"totals": {name: 1}})]
    assert "[/red]\\x1b[2J" in run("totals").stdout


def test_an_event_is_handed_to_the_consumer(api: FakeApi) -> None:
    api.answers = [Answer(202, "application/json", {"event_id": "e-1"})]
    data = '{"text": "Åsa café 😀"}'
    result = run("trigger", "order", "o-1", "--data", data, "--id", "mine")
    assert (result.exit_code, result.stdout) == (0, "e-1  accepted\n")
    [(method, path, headers, body)] = api.asked
    assert (method, path, headers["idempotency-key"]) == ("POST", "events", "mine")
    assert json.loads(body or b"") == {
        "type": "order",
        "subject": "o-1",
        "data": {"text": "Åsa café 😀"},
    }


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "--data is not JSON"),
        ("[]", "--data is not a JSON object"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": 1, "a": 2}', "appears twice"),
    ],
)
def test_what_is_no_json_object_is_not_sent(data: str, said: str, api: FakeApi) -> None:
    assert said in error_of(run("trigger", "order", "o-1", "--data", data)).problem
    assert api.asked == []


@pytest.mark.parametrize("key", ["", "a b", "Å"])
def test_a_key_that_can_name_no_event_is_not_sent(key: str, api: FakeApi) -> None:
    error = error_of(run("trigger", "order", "o-1", "--data", "{}", "--id", key))
    assert "cannot name an event" in error.problem
    assert api.asked == []


def test_what_is_not_utf_8_is_not_sent(api: FakeApi) -> None:
    assert "not UTF-8" in error_of(run("entity", "order", "caf\udce9")).problem
    assert api.asked == []


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (problem(400, "unknown-type"), "Choose one"),
        (problem(400, "not-an-event"), "Mend that"),
        (problem(422, "idempotency-key-reused"), "another --id"),
        (problem(503, "not-queued"), "Send it again"),
        (Answer(429, "application/json", {"message": "Too Many"}), "throttle"),
        (Answer(403, "application/json", {"message": "Forbidden"}), "ClientPolicyArn"),
        (Answer(502, "text/html", "bad gateway"), "./odyssey logs"),
    ],
)
def test_a_refusal_is_what_is_wrong_and_what_to_do(
    answer: Answer, remedy: str, api: FakeApi
) -> None:
    api.answers = [answer]
    error = error_of(run("trigger", "order", "o-1", "--data", "{}"))
    assert error.problem.startswith(f"The API answered {answer.status}: ")
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("totals",), "./odyssey status"),
        (("entity", "order", "o-1"), "./odyssey status"),
        (("trigger", "order", "o-1", "--data", "{}", "--id", "mine"), "again with --id mine"),
    ],
)
def test_an_api_that_does_not_answer_is_said_to(
    arguments: tuple[str, ...], remedy: str, api: FakeApi
) -> None:
    api.answers = [urllib3.exceptions.HTTPError("connection refused")]
    error = error_of(run(*arguments))
    assert error.problem == "The API has not answered: connection refused."
    assert remedy in error.remedy
