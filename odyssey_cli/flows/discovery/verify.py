"""The point of the system: the file is the one that was submitted, its state is another."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from discovery.announcements import FIRST_VERSION, STATUS_UPDATED, is_item_id
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.discovery.documents import Document, NotADocument, checked_name

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mismatch(RuntimeError):  # noqa: N818 - reads as the statement it is
    """Something is not as it must be; the text says what."""


@dataclass(frozen=True)
class Key:
    """Where an item's object is: its id, and the name of the file."""

    item_id: str
    file_name: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Key:
        """Read an item's key.

        Raises:
            Mismatch: it is not `<the item's id>/<name of a file>`.
        """
        text = _text(item, "s3_key")
        item_id, _, name = text.partition("/")
        try:
            checked_name(name)
        except OdysseyError:
            name = ""
        if not is_item_id(item_id) or item_id != _text(item, "id") or not name:
            raise Mismatch(
                f"The item's s3_key {text[:100]!r} is not its id and the name of a file."
            )
        return cls(item_id, name)

    def __str__(self) -> str:
        return str(PurePosixPath(self.item_id, self.file_name))


@dataclass(frozen=True)
class Verified:
    """An item that is as it must be."""

    key: Key
    document: Document
    status: str
    version: int
    updated_at: str
    sha256: str


def verify(
    item: Mapping[str, Any], content: bytes, stored_checksum: str | None, *, version: int | None
) -> Verified:
    """Compare an item with the object that was downloaded for it.

    Args:
        item: in DynamoDB's form.
        content: the object's.
        stored_checksum: the SHA-256 that S3 has of the object, in base64.
        version: that was announced; None if its state need not have moved on.

    Raises:
        Mismatch: the file is another than the one submitted, the item says something else than
            the file, or its state has not moved on.
    """
    key = Key.of(item)
    original, downloaded = _text(item, "sha256"), hashlib.sha256(content)
    if downloaded.hexdigest() != original:
        raise Mismatch(
            f"The file is not the one submitted: SHA-256 {downloaded.hexdigest()[:12]}…, "
            f"not {original[:12]}…."
        )
    if stored_checksum != base64.b64encode(downloaded.digest()).decode():
        raise Mismatch(f"S3 has the SHA-256 {stored_checksum} of the object.")
    try:
        document = Document.read(content)
    except NotADocument as error:
        raise Mismatch(f"The file is no document: {error}") from None
    for name, value in asdict(document).items():
        if (_number(item, name) if name == "year" else _text(item, name)) != value:
            raise Mismatch(f"The item has another {name} than its file.")
    status, reached = _text(item, "status"), _number(item, "version")
    if version is not None and (
        status != STATUS_UPDATED or reached < max(version, FIRST_VERSION + 1)
    ):
        raise Mismatch(f"The state has not moved on: {status}, version {reached}.")
    return Verified(key, document, status, reached, _text(item, "updated_at"), original)


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name, {}).get("S")
    if not isinstance(value, str):
        raise Mismatch(f"The item has no text {name!r}.")
    return value


def _number(item: Mapping[str, Any], name: str) -> int:
    value = item.get(name, {}).get("N", "")
    if not value.isdigit():
        raise Mismatch(f"The item has no whole number {name!r}.")
    return int(value)
