"""Slack's signatures: its own known answer, and every way to be wrong.

"Verifying requests from Slack", docs.slack.dev, 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from proofs.pubsub_shapes import signature as signature_by_us
from pubsub.authenticity import default_verification_token, is_same, is_signed, sign

if TYPE_CHECKING:
    from collections.abc import Mapping

# Slack documentation, 'Verifying requests from Slack': the example, recomputed.
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TIMESTAMP = "1531420618"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    b"%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
THEN = datetime.fromtimestamp(int(TIMESTAMP), tz=UTC)
RIGHT = {
    "secret": SECRET,
    "timestamp": TIMESTAMP,
    "signature": SIGNATURE,
    "body": BODY,
    "now": THEN,
}


@dataclass(frozen=True)
class Case:
    """What differs from Slack's example.

    Attributes:
        is_from_slack: whether it is to be taken for a request of Slack.
    """

    says: str
    changes: Mapping[str, Any]
    is_from_slack: bool = False


def at(timestamp: str) -> dict[str, str]:
    """Return a request that is signed for `timestamp`, as Slack would if it wrote it so."""
    signed = signature_by_us(BODY, secret=SECRET, timestamp=timestamp)
    return {"timestamp": timestamp, "signature": signed}


def after(**passed: float) -> dict[str, datetime]:
    return {"now": THEN + timedelta(**passed)}


def signed(body: bytes) -> dict[str, bytes | str]:
    made = signature_by_us(body, secret=SECRET, timestamp=TIMESTAMP)
    return {"body": body, "signature": made}


DIGITS = SIGNATURE.removeprefix("v0=")
CASES = [
    Case("the documented example", {}, is_from_slack=True),
    Case("300 seconds old", after(seconds=300), is_from_slack=True),
    Case("300 seconds ahead", after(seconds=-300), is_from_slack=True),
    Case("no body", signed(b""), is_from_slack=True),
    Case("a body of any bytes", signed(bytes(range(256))), is_from_slack=True),
    Case("a body with colons", signed(b"v0:1531420618:"), is_from_slack=True),
    # The secret.
    Case("another secret", {"secret": "8f742231b10e8888abcd99yyyzzz85a6"}),
    Case("a longer secret", {"secret": SECRET + "0"}),
    Case("a shorter secret", {"secret": SECRET[:-1]}),
    Case("no secret", {"secret": ""}),
    Case(
        "no secret, and signed with none",
        {"secret": "", "signature": signature_by_us(BODY, secret="", timestamp=TIMESTAMP)},
    ),
    # The body.
    Case("a byte changed", {"body": BODY.replace(b"roadrunner", b"roadrunneR")}),
    Case("the first byte changed", {"body": b"T" + BODY[1:]}),
    Case("a byte more", {"body": BODY + b"\n"}),
    Case("a byte less", {"body": BODY[:-1]}),
    Case("nothing of it", {"body": b""}),
    Case("fields in another order", {"body": b"&".join(sorted(BODY.split(b"&")))}),
    Case("escapes in small letters", {"body": BODY.replace(b"%2F", b"%2f")}),
    Case("decoded", {"body": BODY.replace(b"%2F", b"/").replace(b"%3A", b":")}),
    Case("a part of the body in the timestamp", {"timestamp": "153142061", "body": b"8:" + BODY}),
    # The time.
    Case("another time than was signed", {"timestamp": "1531420619"}),
    Case("301 seconds old", after(seconds=301)),
    Case("301 seconds ahead", after(seconds=-301)),
    Case("a little more than 300 seconds old", after(seconds=300, microseconds=1)),
    Case("a year old", after(days=365)),
    Case("no time", {"timestamp": None}),
    Case("an empty time", {"timestamp": ""} | at("")),
    Case("a time with a space", at(f" {TIMESTAMP}")),
    Case("a time with a space behind", at(f"{TIMESTAMP} ")),
    Case("a time with a line break", at(f"{TIMESTAMP}\n")),
    Case("a time with a plus", at(f"+{TIMESTAMP}")),
    Case("a time with a minus", at(f"-{TIMESTAMP}")),
    Case("a time with an underscore", at("1_531_420_618")),
    Case("a time with a fraction", at(f"{TIMESTAMP}.0")),
    Case("a time in milliseconds", at(f"{TIMESTAMP}000")),
    Case("a time with an exponent", at("1.531420618e9")),
    Case("a time in hexadecimal", at(hex(int(TIMESTAMP)))),
    Case("a time in other digits", at("".join(chr(0x660 + int(digit)) for digit in TIMESTAMP))),
    Case("a time that is no number", at("nan")),
    Case("a time without end", at("inf")),
    Case("a huge time", at("9" * 5_000)),
    Case("two times", at(f"{TIMESTAMP},{TIMESTAMP}")),
    # The signature.
    Case("no signature", {"signature": None}),
    Case("an empty signature", {"signature": ""}),
    Case("nothing but its version", {"signature": "v0="}),
    Case("another version", {"signature": f"v1={DIGITS}"}),
    Case("no version", {"signature": DIGITS}),
    Case("a version in capitals", {"signature": f"V0={DIGITS}"}),
    Case("digits in capitals", {"signature": f"v0={DIGITS.upper()}"}),
    Case("a digit less", {"signature": SIGNATURE[:-1]}),
    Case("a digit more", {"signature": f"{SIGNATURE}0"}),
    Case("the last digit changed", {"signature": f"{SIGNATURE[:-1]}4"}),
    Case("half of it", {"signature": SIGNATURE[:35]}),
    Case("a space before", {"signature": f" {SIGNATURE}"}),
    Case("a line break behind", {"signature": f"{SIGNATURE}\n"}),
    Case("two signatures", {"signature": f"{SIGNATURE},{SIGNATURE}"}),
    Case("not ASCII", {"signature": f"{SIGNATURE[:-1]}３"}),  # noqa: RUF001
    Case("an emoji", {"signature": "😀"}),
    Case("a lone surrogate", {"signature": "\ud800"}),
    Case("of zeros", {"signature": "v0=" + "0" * 64}),
    Case("that of an empty body", {"signature": signed(b"")["signature"]}),
    Case("megabytes", {"signature": "v0=" + "a" * 1_000_000}),
]  # fmt: skip


def test_our_signature_is_the_documented_one() -> None:
    assert sign(SECRET, TIMESTAMP, BODY) == SIGNATURE
    # What signs the requests of all other tests shares no code with the product.
    assert signature_by_us(BODY, secret=SECRET, timestamp=TIMESTAMP) == SIGNATURE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_request_is_taken_for_slacks_as_documented(case: Case) -> None:
    assert is_signed(**{**RIGHT, **case.changes}) is case.is_from_slack


@pytest.mark.parametrize("place", range(len(SIGNATURE)))
def test_no_character_of_the_signature_may_differ(place: int) -> None:
    other = "1" if SIGNATURE[place] != "1" else "2"
    changed = SIGNATURE[:place] + other + SIGNATURE[place + 1 :]
    assert not is_signed(**{**RIGHT, "signature": changed})


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ("token", True),
        ("Token", False),
        ("toke", False),
        ("tokens", False),
        (" token", False),
        ("", False),
        (None, False),
        ("tökén", False),
        ("\ud800", False),
    ],
)
def test_a_token_is_the_stored_one_or_wrong(given: str | None, *, same: bool) -> None:
    assert is_same("token", given) is same


@pytest.mark.parametrize("given", ["", None, "token"])
def test_nothing_equals_a_secret_that_is_empty(given: str | None) -> None:
    assert is_same("", given) is False


def test_the_token_for_trying_out_belongs_to_one_signing_secret_and_does_not_show_it() -> None:
    one, other = default_verification_token(SECRET), default_verification_token("another")
    assert one == default_verification_token(SECRET)
    assert one != other
    assert len(one) == 24
    assert SECRET not in one
    # Nor is it a part of a signature that somebody could get to see.
    assert one not in sign(SECRET, TIMESTAMP, BODY)
