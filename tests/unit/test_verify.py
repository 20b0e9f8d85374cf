"""Same file, changed state: whatever is not so is found, and named."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from odyssey_cli.flows.discovery.verify import Key, Mismatch, Verified, verify
from tests.discovery import NOON_TEXT, item, item_id, submission

CONTENT = submission(1).content
ID = item_id(1)


def checksum(content: bytes = CONTENT) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def check(changes: dict[str, Any] | None = None, **arguments: Any) -> Verified:
    """Verify a good item that differs in `changes`, where None takes an attribute away."""
    changed = {**item(1, version=2), **(changes or {})}
    found = {name: value for name, value in changed.items() if value is not None}
    given: dict[str, Any] = {"content": CONTENT, "stored_checksum": checksum(), "version": 2}
    given |= arguments
    return verify(found, given["content"], given["stored_checksum"], version=given["version"])


def test_an_item_that_has_moved_on_with_its_file_as_submitted_is_verified() -> None:
    assert check() == Verified(
        key=Key(ID, "laptop.json"),
        document=submission(1).document,
        status="updated",
        version=2,
        updated_at=NOON_TEXT,
        sha256=submission(1).sha256,
    )


def test_an_item_that_has_moved_on_further_than_announced_is_verified() -> None:
    assert check({"version": {"N": "7"}}).version == 7


@pytest.mark.parametrize(
    "changes",
    [{"status": {"S": "uploaded"}, "version": {"N": "1"}}, {"status": {"S": "sold"}}],
    ids=["the first state", "a state of somebody else"],
)
def test_an_item_that_nothing_was_announced_of_may_be_in_any_state(changes: dict[str, Any]) -> None:
    found = check(changes, version=None)
    assert found.status == changes["status"]["S"]


def another(content: bytes) -> dict[str, Any]:
    """Return an item and its object as if `content` had been submitted."""
    return {
        "changes": {"sha256": {"S": hashlib.sha256(content).hexdigest()}},
        "content": content,
        "stored_checksum": checksum(content),
    }


NO_DOCUMENT = json.dumps({"id": ID}).encode()
MISMATCHES: dict[str, tuple[dict[str, Any], str]] = {
    "another file": (
        {"content": CONTENT + b" ", "stored_checksum": checksum(CONTENT + b" ")},
        f"not the one submitted: SHA-256 {hashlib.sha256(CONTENT + b' ').hexdigest()[:12]}…, "
        f"not {hashlib.sha256(CONTENT).hexdigest()[:12]}…",
    ),
    "an empty file": ({"content": b""}, "not the one submitted"),
    "another checksum of the item": ({"changes": {"sha256": {"S": "0" * 64}}}, "not 000000000000…"),
    "no checksum in S3": ({"stored_checksum": None}, "S3 has the SHA-256 None"),
    "another checksum in S3": ({"stored_checksum": checksum(b"")}, "S3 has the SHA-256 47DEQpj8"),
    "a file that is no document": (another(NO_DOCUMENT), "no document: It has not exactly"),
    "a file of another item": (another(submission(2).content), "another id than its file"),
    **{
        f"another {name}": (
            {"changes": {name: value}},
            f"has another {name} than its file",
        )
        for name, value in {
            "manufacturer": {"S": "Other"},
            "model": {"S": "Other"},
            "year": {"N": "2022"},
            "created_at": {"S": NOON_TEXT},
        }.items()
    },
    **{
        f"no {name}": ({"changes": {name: None}}, f"no text '{name}'")
        for name in (
            "id", "manufacturer", "model", "status", "created_at", "updated_at", "s3_key", "sha256"
        )
    },
    **{
        f"a {name} that is no number": ({"changes": {name: value}}, f"no whole number '{name}'")
        for name in ("year", "version")
        for value in (None, {"S": "2"}, {"N": "2.5"}, {"N": "-2"})
    },
    "the first state": (
        {"changes": {"status": {"S": "uploaded"}, "version": {"N": "1"}}},
        "has not moved on: uploaded, version 1",
    ),
    "a status that stayed": (
        {"changes": {"status": {"S": "uploaded"}}},
        "has not moved on: uploaded, version 2",
    ),
    **{
        f"the status {status!r}": (
            {"changes": {"status": {"S": status}, "version": {"N": "7"}}},
            f"has not moved on: {status}, version 7",
        )
        for status in ("sold", "Updated", "updated ", "")
    },
    "a version that stayed": (
        {"changes": {"version": {"N": "1"}}, "version": 1},
        "has not moved on: updated, version 1",
    ),
    "an earlier version than announced": ({"version": 3}, "has not moved on: updated, version 2"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "text"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_what_is_not_as_it_must_be_is_named(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(Mismatch) as found:
        check(**changes)
    assert text in str(found.value)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "laptop.json",
        ID,
        f"{ID}/",
        f"{ID}/.",
        f"{ID}/..",
        f"{ID}/../laptop.json",
        f"{ID}/../../etc/passwd",
        f"{ID}/a/b.json",
        f"{ID}//etc/passwd",
        f"{ID}/..\\laptop.json",
        f"{ID}/a\x00b",
        f"{ID}/a\x7fb",
        f"{ID}/a\x9bb",
        f"{ID}/ ",
        f"{ID}/{'x' * 256}",
        f"../{ID}/laptop.json",
        f"/{ID}/laptop.json",
        "../laptop.json",
        f"{item_id(2)}/laptop.json",
        f"{ID.upper()}x/laptop.json",
    ],
)
def test_a_key_that_could_lead_elsewhere_is_refused(key: str) -> None:
    with pytest.raises(Mismatch, match="is not its id and the name of a file"):
        check({"s3_key": {"S": key}})


@pytest.mark.parametrize("name", ["laptop.json", "...", "å 😀 R&D.json", "..a", "a:b"])
def test_a_key_is_the_one_that_was_stored(name: str) -> None:
    assert str(Key.of(item(1, s3_key={"S": f"{ID}/{name}"}))) == f"{ID}/{name}"
