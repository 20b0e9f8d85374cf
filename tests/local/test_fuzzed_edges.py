"""Anything that is sent to an API over HTTP gets an answer that is described."""

from __future__ import annotations

import copy
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.breaking import denied
from odyssey_cli.fuzz import described, runner, sending
from odyssey_cli.fuzz.clients import SlackOrToken, client_of
from odyssey_cli.fuzz.hostile import good
from odyssey_cli.openapi.document import APIS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from odyssey_cli.fuzz.clients import Client
    from odyssey_cli.target import Target

AGGREGATOR = "EventAggregator"


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """How many random requests each operation gets; --fuzz-examples=N for more."""
    return int(request.config.getoption("--fuzz-examples"))


@pytest.fixture
def client(deployed: Target) -> Iterator[Client]:
    with client_of(AGGREGATOR, deployed) as client:
        yield client


def document(deployed: Target, stack: str = AGGREGATOR) -> dict[str, Any]:
    return runner.document_of(stack, deployed.state / "cdk.out")


def only(document: dict[str, Any], path: str) -> dict[str, Any]:
    return document | {"paths": {path: document["paths"][path]}}


@pytest.mark.parametrize("stack", APIS)
def test_whatever_an_api_is_sent_it_answers_as_described_and_refuses_without_a_trace(
    deployed: Target,
    stack: str,
    examples: int,
    seed: int,
    figure: Callable[..., None],
) -> None:
    # WHEN it is sent the corpus and what the description makes of itself; texts are handed over
    # by tests/unit/test_fuzzed_edges.py
    made = document(deployed, stack)
    tried = runner.attempt(stack, made, deployed, examples=examples, seed=seed, texts=False)
    # THEN
    assert tried.hostile.failures == []
    assert tried.described.failures == []
    # AND every operation has had its share of both
    for report in tried.reports.values():
        assert set(report.operations) == set(APIS[stack].operations)
    figure(f"fuzzed edges {stack}", **runner.figures([tried]), seed=seed)


@pytest.mark.parametrize("stack", APIS)
def test_good_requests_are_answered_with_what_is_promised(deployed: Target, stack: str) -> None:
    # GIVEN the examples of the description
    made = document(deployed, stack)
    answers = sending.Described(made)
    with client_of(stack, deployed) as client:
        # WHEN those are sent first that others ask for
        requests = sorted(good(made), key=lambda request: request.method, reverse=True)
        found = {(each.operation, each.body): sending.send(client, each) for each in requests}
    # THEN
    for (operation, _), answer in found.items():
        assert answers.fault(operation, answer) is None
        assert answer.status < 300 or "{" in operation


@pytest.mark.parametrize("stack", APIS)
def test_a_stranger_is_refused_as_described(deployed: Target, stack: str) -> None:
    # GIVEN somebody who signs nothing and has no token
    class Nobody:
        def headers(self, *_: object) -> dict[str, str]:
            return {}

    made = document(deployed, stack)
    answers = sending.Described(made)
    with client_of(stack, deployed) as client:
        expected = 401 if isinstance(client.signer, SlackOrToken) else 403
        nobody = type(client)(client.base, Nobody(), client.tables)
        before = sending.stored(client, deployed)
        # WHEN
        for each in good(made):
            answer = sending.send(nobody, each)
            # THEN
            assert answer.status == expected
            assert answers.fault(each.operation, answer, refused=True) is None
        assert sending.stored(client, deployed) == before


def test_a_failure_is_found_by_both_and_its_line_shows_it_again(
    deployed: Target, client: Client
) -> None:
    # GIVEN a function that fails
    made = only(document(deployed), "/trigger-event")
    with denied(deployed, AGGREGATOR, "Producer", "dynamodb:PutItem"):
        # WHEN
        found = [
            described.fuzz(AGGREGATOR, made, client, examples=2, seed=1),
            sending.fuzz(AGGREGATOR, made, client, deployed, texts=False),
        ]
        # THEN
        for report in found:
            failures = [each for each in report.failures if each.operation != ""]
            assert failures
            assert {each.operation for each in failures} == {"POST /trigger-event"}
            assert report.passed < report.cases
            line = next(each.curl for each in failures)
            ran = subprocess.run(
                ["sh", "-c", line], capture_output=True, check=True, env=deployed.environment
            )
            assert b" 502 " in ran.stdout.splitlines()[0]


Answers = dict[str, Any]


def without_a_status(answers: Answers) -> str:
    answers.pop("400")
    return "400"


def with_another_content_type(answers: Answers) -> str:
    answers["400"]["content"] = {"text/plain": {}}
    return "400"


def with_another_body(answers: Answers) -> str:
    answers["200"]["content"] = {"application/json": {"schema": {"type": "array"}}}
    return "200"


@pytest.mark.parametrize("change", [without_a_status, with_another_content_type, with_another_body])
def test_what_is_not_described_is_found_by_both(
    deployed: Target,
    client: Client,
    change: Callable[[Answers], str],
) -> None:
    # GIVEN a description that lacks something
    made = copy.deepcopy(only(document(deployed), "/get-summary"))
    status = change(made["paths"]["/get-summary"]["get"]["responses"])
    # WHEN
    found = [
        described.fuzz(AGGREGATOR, made, client, examples=2, seed=1),
        sending.fuzz(AGGREGATOR, made, client, deployed),
    ]
    # THEN
    for report in found:
        assert report.failures
        assert report.cases > report.passed >= report.cases - report.statuses[int(status)]


def test_a_client_that_is_taken_for_somebody_else_has_proved_nothing(
    deployed: Target, client: Client
) -> None:
    # GIVEN a signature of something else
    class Wrong:
        def headers(self, method: str, url: str, kind: str, _body: bytes) -> dict[str, str]:
            return client.signer.headers(method, url, kind, b"something else")

    wrong = type(client)(client.base, Wrong(), client.tables)
    made = only(document(deployed), "/get-summary")
    # WHEN, THEN
    assert described.fuzz(AGGREGATOR, made, wrong, examples=1, seed=1).passed == 0
    # but for what does not get as far as that
    report = sending.fuzz(AGGREGATOR, made, wrong, deployed)
    assert report.passed == report.statuses[431]
