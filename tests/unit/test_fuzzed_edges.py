"""The hostile requests, handed to the functions as the gateway hands them over.

Over HTTP they are sent by tests/local/test_fuzzed_edges.py.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import pytest

from consumer import reader as consumer_reader
from consumer import trigger
from event_aggregator import producer, reader, settings
from odyssey_cli.fuzz.answers import Answer, Described
from odyssey_cli.fuzz.hostile import Hostile, corpus, good
from odyssey_cli.openapi.document import APIS, document
from odyssey_cli.openapi.routes import Route
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.pubsub_shapes import API_TOKEN, STAMP, http_request, signature
from pubsub import counter
from pubsub import reader as words_reader
from shared import clients
from tests.builders import FakeContext, api_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.consumer import Consumer
    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
HANDLERS = {
    "event_aggregator.producer": producer,
    "event_aggregator.reader": reader,
    "consumer.trigger": trigger,
    "consumer.reader": consumer_reader,
    "pubsub.counter": counter,
    "pubsub.reader": words_reader,
}
OPERATIONS = [(stack, name) for stack, api in APIS.items() for name in api.operations]
Event = dict[str, Any]


def described(stack: str) -> dict[str, Any]:
    """Return a stack's document, with the routes as they are described."""
    is_signed = stack != "PubSub"
    routes = [
        Route(name, each.handler, is_rest=is_signed, is_signed=is_signed)
        for name, each in APIS[stack].operations.items()
    ]
    return document(stack, routes)


class Tables:
    """What the aggregator's functions call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dynamodb = FakeDynamoDB.with_tables("events", "summaries")
        self.dynamodb.indexes["by-count"] = "item_count"
        variables = {
            "EVENTS_TABLE": "events",
            "SUMMARIES_TABLE": "summaries",
            "RANKING": "by-count",
            "GROUP_BY": "[]",
            "EVENT_TTL_DAYS": "0",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(clients, "dynamodb", lambda: self.dynamodb)


@pytest.fixture
def aggregator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    for read in (settings.producer, settings.reader):
        read.cache_clear()
    yield Tables(monkeypatch)
    for read in (settings.producer, settings.reader):
        read.cache_clear()


@pytest.fixture
def kept(request: pytest.FixtureRequest, stack: str) -> Callable[[], dict[str, Any]]:
    """Return what tells all that a stack has stored, queued or published."""
    if stack == "EventAggregator":
        tables: Tables = request.getfixturevalue("aggregator")
        return lambda: dict(tables.dynamodb.tables)
    if stack == "Consumer":
        consumer: Consumer = request.getfixturevalue("consumer")
        return lambda: {**consumer.dynamodb.tables, "queued": consumer.queued}
    words: WordCounter = request.getfixturevalue("words")
    return lambda: {**words.dynamodb.tables, "published": words.published}


def events(stack: str, request: Hostile) -> Iterator[Event]:
    """Yield the events that a gateway could make of a request: body encoded, and not."""
    path, _, query = request.path.partition("?")
    values = dict(parse_qsl(query, keep_blank_values=True, errors="replace"))
    bodies: list[bytes | str | None] = [None]
    if request.body:
        # Whoever invokes the function itself may send what is no text.
        bodies = [request.body, request.body.decode(errors="surrogateescape")]
    headers: dict[str, str] = {}
    for name, value in request.headers:
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    for body in dict.fromkeys(bodies):
        for decoded in dict.fromkeys((path, unquote(path))):
            if stack == "PubSub":
                yield _of_http(request, decoded, values, headers, body)
            else:
                yield api_request(request.method, decoded, body=body, headers=headers, query=values)


def _of_http(
    request: Hostile,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes | str | None,
) -> Event:
    sent = body.encode(errors="surrogatepass") if isinstance(body, str) else body or b""
    identity = {
        "authorization": f"Bearer {API_TOKEN}",
        "x-slack-request-timestamp": STAMP,
        "x-slack-signature": signature(sent),
    }
    word = path.rpartition("/")[2] if request.operation.endswith("{word}") else None
    return http_request(
        request.method,
        path,
        body=body,
        headers=headers | identity,
        query=query,
        parameters={"word": word} if word is not None else None,
    )


def answered(handler: str, event: Event) -> Answer:
    response = HANDLERS[handler].handler(event, FakeContext())
    headers = response.get("headers") or {
        name: values[0] for name, values in response["multiValueHeaders"].items()
    }
    body = response["body"].encode(errors="surrogatepass")
    if response.get("isBase64Encoded"):
        body = base64.b64decode(body)
    return Answer(int(response["statusCode"]), headers["Content-Type"], body)


@pytest.mark.parametrize(("stack", "operation"), OPERATIONS)
def test_whatever_a_function_is_handed_it_answers_as_described_and_refuses_without_a_trace(
    stack: str, operation: str, kept: Callable[[], dict[str, Any]]
) -> None:
    # GIVEN every hostile request for an operation
    made = described(stack)
    answers, handler = Described(made), APIS[stack].operations[operation].handler
    requests = [each for each in corpus(made) if each.operation == operation]
    assert len(requests) > 10
    untouched = repr(kept())
    faults: dict[str, str] = {}
    # WHEN each is handed over, those first that must be refused
    for each in sorted(requests, key=lambda request: not request.refused):
        for event in events(stack, each):
            fault = answers.fault(operation, answered(handler, event), refused=each.refused)
            if fault is None and each.refused and repr(kept()) != untouched:
                fault = "it left something"
            if fault is not None:
                faults[each.name] = fault
    # THEN
    assert faults == {}


@pytest.mark.parametrize(("stack", "operation"), OPERATIONS)
def test_the_examples_of_the_description_are_good_requests(
    stack: str, operation: str, kept: Callable[[], dict[str, Any]]
) -> None:
    made = described(stack)
    answers, handler = Described(made), APIS[stack].operations[operation].handler
    for each in good(made):
        if each.operation == operation:
            [event, *_] = events(stack, each)
            answer = answered(handler, event)
            assert answers.fault(operation, answer) is None
            # What nobody has sent is not found.
            assert answer.status < 300 or "{" in operation
