"""Sends the hostile requests, byte for byte as they are."""

from __future__ import annotations

import contextlib
import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from odyssey_cli.fuzz.answers import Answer, Described
from odyssey_cli.fuzz.clients import SigV4, is_unauthentic, stored
from odyssey_cli.fuzz.hostile import corpus
from odyssey_cli.fuzz.report import Failure, Report, curl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from odyssey_cli.fuzz.clients import Client
    from odyssey_cli.fuzz.hostile import Hostile
    from odyssey_cli.openapi.parts import Schema
    from odyssey_cli.target import Target

# As long as API Gateway waits for a function.
_TIMEOUT = 30.0
_AT_ONCE = 2
_CHUNK = 7
# The stream's batching window is a second.
_PAUSE, _PATIENCE = 1.5, 30.0


def send(client: Client, request: Hostile) -> Answer:
    """Send a request, signed, and return the answer, whatever it is."""
    url = urlsplit(client.base)
    address = f"{url.path}{request.path}"
    identity = client.signer.headers(
        request.method,
        f"{url.scheme}://{url.netloc}{address}",
        request.header("content-type"),
        request.body,
    )
    connection = http.client.HTTPConnection(url.netloc, timeout=_TIMEOUT)
    try:
        connection.putrequest(request.method, address, skip_accept_encoding=True)
        for name, value in (*request.headers, *identity.items()):
            connection.putheader(name, value.encode())
        if request.chunked:
            connection.putheader("transfer-encoding", "chunked")
        elif request.body or request.method == "POST":
            connection.putheader("content-length", str(len(request.body)))
        # It may be refused before it was read to the end.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            _send_body(connection, request)
        answered = connection.getresponse()
        return Answer(answered.status, answered.headers.get("content-type", ""), answered.read())
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, "", f"no answer: {error!r}".encode())
    finally:
        connection.close()


def _send_body(connection: http.client.HTTPConnection, request: Hostile) -> None:
    if request.chunked:
        parts = (request.body[n : n + _CHUNK] for n in range(0, len(request.body), _CHUNK))
        connection.endheaders(parts, encode_chunked=True)
    else:
        connection.endheaders(request.body or None)


def fuzz(
    stack: str,
    document: Schema,
    client: Client,
    target: Target,
    *,
    texts: bool = True,
    step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Send the corpus to every operation of an API, and check answers and tables.

    Args:
        stack: whose API it is.
        document: of the API, OpenAPI.
        client: who sends it.
        target: where the tables are.
        texts: see `corpus`.
        step: told what is going on.
    """
    report, begun = Report(stack, 0), time.monotonic()
    described, requests = Described(document), [*corpus(document, texts=texts)]
    step(f"{stack}: hostile requests")
    before = _settled(client, target)
    _try(report, described, client, [each for each in requests if each.refused])
    after = stored(client, target)
    if after != before:
        what = f"refused requests changed the tables: {before} became {after}"
        report.fail(Failure("", what, ""))
    _try(report, described, client, [each for each in requests if not each.refused])
    report.seconds = time.monotonic() - begun
    return report


def _settled(client: Client, target: Target) -> dict[str, int]:
    """Return what is stored when what was accepted earlier has gone all its way."""
    until, now = time.monotonic() + _PATIENCE, stored(client, target)
    while time.monotonic() < until:
        time.sleep(_PAUSE)
        before, now = now, stored(client, target)
        if before == now:
            break
    return now


def _try(report: Report, described: Described, client: Client, requests: Iterable[Hostile]) -> None:
    def tried(request: Hostile) -> tuple[Hostile, Answer, str | None]:
        answer = send(client, request)
        fault = described.fault(request.operation, answer, refused=request.refused)
        if fault is None and is_unauthentic(answer.status, answer.body):
            fault = f"the client's own signature was refused: {answer.body[:200]!r}"
        return request, answer, fault

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for request, answer, fault in pool.map(tried, requests):
            report.cases += 1
            report.operations[request.operation] += 1
            report.statuses[answer.status] += 1
            if fault is not None:
                report.failed_cases += 1
                line = curl(
                    request.method, client.base + request.path, dict(request.headers),
                    request.body, signed=isinstance(client.signer, SigV4),
                )  # fmt: skip
                report.failures.append(Failure(request.operation, f"{request.name}: {fault}", line))
