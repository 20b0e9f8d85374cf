"""Requests made from an API's description, valid ones and others, by schemathesis."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, cast

import schemathesis
from requests.auth import AuthBase
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from odyssey_cli.errors import OdysseyError
from odyssey_cli.fuzz.clients import SigV4, is_unauthentic
from odyssey_cli.fuzz.report import Failure, Report, curl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import PreparedRequest
    from schemathesis.engine.recorder import ScenarioRecorder

    from odyssey_cli.fuzz.clients import Client, Signer
    from odyssey_cli.openapi.parts import Schema

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
# As long as API Gateway waits for a function.
_TIMEOUT = 30


class _Signed(AuthBase):
    """Signs a request as it goes out, after everything else has been done to it."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        # A blank can be written in two ways, and SigV4 signs one.
        path, mark, query = str(request.url).partition("?")
        request.url = f"{path}{mark}{query.replace('+', '%20')}"
        body = request.body or b""
        sent = body.encode() if isinstance(body, str) else cast("bytes", body)
        content_type = str(request.headers.get("content-type", ""))
        made = self._signer.headers(str(request.method), str(request.url), content_type, sent)
        for name, value in made.items():
            request.headers[name] = value
        return request


def fuzz(
    stack: str,
    document: Schema,
    client: Client,
    *,
    examples: int,
    seed: int,
    step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Send requests that schemathesis makes of a document, and check the answers.

    Beside `examples` random requests per operation, half of which the document forbids, there
    are those at the limits of what it allows.

    Args:
        stack: whose API it is.
        document: of the API, OpenAPI.
        client: who sends them.
        examples: how many random ones each operation gets.
        seed: that they are made from.
        step: told what is going on.

    Raises:
        OdysseyError: schemathesis cannot do that.
    """
    report, begun = Report(stack, seed), time.monotonic()
    schema = schemathesis.openapi.from_dict(document, config=_config(client, examples, seed))
    schema.auth.set_from_requests(_Signed(client.signer))
    with _quiet():
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                step(f"{stack}: {event.label or ''}")
                _take(event.recorder, report, client)
            elif isinstance(event, events.NonFatalError):
                what = f"it could not be tried: {event.value}"
                report.fail(Failure(event.label, what, ""))
            elif isinstance(event, events.FatalError):
                raise OdysseyError(
                    f"schemathesis failed: {event.exception}.", "--debug shows where."
                ) from event.exception
    report.seconds = time.monotonic() - begun
    return report


def _config(client: Client, examples: int, seed: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "suppress-health-check": ["all"],
            "base-url": client.base,
            "request-timeout": _TIMEOUT,
            "continue-on-failure": True,
            "workers": 1,
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
            "generation": {
                "max-examples": examples,
                "with-security-parameters": False,
                "no-shrink": True,
                "database": "none",
            },
            "phases": {
                "stateful": {"enabled": False},
                # A method that no route has never reaches a function.
                "coverage": {"unexpected-methods": []},
                # The same seed is to make the same requests, whatever is answered.
                "fuzzing": {
                    "extra-data-sources": {"responses": False},
                    "error-feedback": {"enabled": False},
                },
            },
        }
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the libraries write about odd requests to themselves."""
    loggers = [logging.getLogger(name) for name in ("urllib3", "requests")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)


def _take(recorder: ScenarioRecorder, report: Report, client: Client) -> None:
    """Add what a scenario recorded to the report."""
    for case_id, interaction in recorder.interactions.items():
        operation = recorder.label
        report.cases += 1
        report.operations[operation] += 1
        said = [
            each.failure_info
            for each in recorder.checks.get(case_id, [])
            if each.status is Status.FAILURE
        ]
        wrong = [f"{each.failure.title}: {each.failure.message}" for each in said if each]
        if interaction.response is None:
            wrong.append("there was no answer")
        else:
            report.statuses[interaction.response.status_code] += 1
            if is_unauthentic(interaction.response.status_code, interaction.response.content):
                wrong.append("the client's own signature was refused")
        if wrong:
            report.failed_cases += 1
            report.failures += [
                Failure(operation, what, _curl(interaction.request, client)) for what in wrong
            ]


def _curl(request: Any, client: Client) -> str:  # noqa: ANN401 - schemathesis has no public name
    headers = {name: values[0] for name, values in request.headers.items()}
    return curl(
        request.method, request.uri, headers, request.body or b"",
        signed=isinstance(client.signer, SigV4),
    )  # fmt: skip
