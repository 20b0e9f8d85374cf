"""AWS is asked from where it sees us, and only an IPv4 address is believed."""

from __future__ import annotations

import http.client
from types import SimpleNamespace
from typing import Any

import pytest

from odyssey_cli.errors import OdysseyError
from odyssey_cli.public_address import public_address


class Connection:
    """A connection to whoever answers `answer`, or fails with it."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.opened: list[tuple[str, float]] = []
        self.requests: list[tuple[str, str]] = []
        self.closed = False

    def __call__(self, host: str, *, timeout: float) -> Connection:
        self.opened.append((host, timeout))
        return self

    def request(self, method: str, path: str) -> None:
        self.requests.append((method, path))
        if isinstance(self.answer, OSError):
            raise self.answer

    def getresponse(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        answer = self.answer
        return SimpleNamespace(read=lambda size: answer[:size])

    def close(self) -> None:
        self.closed = True


def answering(monkeypatch: pytest.MonkeyPatch, answer: bytes | Exception) -> Connection:
    made = Connection(answer)
    monkeypatch.setattr(http.client, "HTTPSConnection", made)
    return made


def test_the_address_is_asked_of_aws_over_tls_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an answer that ends a line, as the service's does
    aws = answering(monkeypatch, b"203.0.113.7\n")
    # WHEN / THEN
    assert public_address() == "203.0.113.7"
    [(host, timeout)] = aws.opened
    assert host == "checkip.amazonaws.com"
    assert 0 < timeout <= 30
    assert aws.requests == [("GET", "/")]
    assert aws.closed


@pytest.mark.parametrize(
    "trouble",
    [
        TimeoutError("timed out"),
        ConnectionRefusedError("refused"),
        http.client.BadStatusLine("220 mail"),
        http.client.IncompleteRead(b"203"),
    ],
)
def test_no_answer_is_said_with_another_way(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    aws = answering(monkeypatch, trouble)
    with pytest.raises(OdysseyError, match=r"checkip\.amazonaws\.com did not say") as refused:
        public_address()
    assert "-c ssh_cidr=203.0.113.7/32" in refused.value.remedy
    assert aws.closed


@pytest.mark.parametrize(
    "answer",
    [
        *(b"2001:db8::1\n", b"", b"<html>203.0.113.7</html>", b"203.0.113.7, 198.51.100.1"),
        *(b"203.0.113.7/32", b"\xff\xfe", b"203.0.113.256", b"203.0.113"),
    ],
)
def test_an_answer_that_is_no_ipv4_address_is_shown_and_not_used(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    aws = answering(monkeypatch, answer)
    with pytest.raises(OdysseyError, match="which is no IPv4 address") as refused:
        public_address()
    assert "-c ssh_cidr=203.0.113.7/32" in refused.value.remedy
    assert aws.closed


def test_a_page_instead_of_an_address_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, b"<html>" * 100_000)
    with pytest.raises(OdysseyError) as refused:
        public_address()
    assert len(refused.value.problem) < 500
