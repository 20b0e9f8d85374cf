"""The files that are submitted: what one says, how it is written once, how it is found again.

The file is the submission's own record: its id is made with it, so that whoever runs the script
again after a crash goes on with the same item.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discovery.announcements import FIRST_VERSION, STATUS_UPLOADED, is_item_id
from odyssey_cli.console import CONTROL
from odyssey_cli.errors import OdysseyError
from shared import strict_json, times

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAMPLES = (
    ("Acer", "Swift 14"),
    ("Apple", "MacBook Air 13"),
    ("Asus", "Zenbook 14"),
    ("Dell", "XPS 13"),
    ("Framework", "Laptop 13"),
    ("Lenovo", "ThinkPad X1 Carbon"),
)
_YEARS = range(1970, 2101)
# With the id and a slash, far below the 1,024 bytes of a key ("Naming Amazon S3 objects",
# 2026-11-21); file systems take no more.
_MAX_NAME_BYTES = 255
_MAX_TEXT = 200
# A document is far smaller: two texts of 200 characters, each at most twelve bytes in JSON.
MAX_BYTES = 64 * 1024
_UNUSABLE = re.compile(rf"{CONTROL.pattern}|[/\\]")


class NotADocument(ValueError):  # noqa: N818 - reads as the statement it is
    """A file's content is not a document; the text says why."""


@dataclass(frozen=True)
class Wanted:
    """What a new document should say; None leaves it to chance."""

    manufacturer: str | None = None
    model: str | None = None
    year: int | None = None


@dataclass(frozen=True)
class Document:
    """What a file says of a laptop.

    Attributes:
        id: of the item, a UUID.
        manufacturer: who made it.
        model: what it is called.
        year: when it was made.
        created_at: when the document was, UTC, RFC 3339.
    """

    id: str
    manufacturer: str
    model: str
    year: int
    created_at: str

    def content(self) -> bytes:
        """Return the file."""
        return (json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n").encode()

    @classmethod
    def read(cls, content: bytes) -> Document:
        """Return the document that a file is.

        Raises:
            NotADocument: it is something else.
        """
        try:
            value = strict_json.parse(content)
        except strict_json.InvalidJson as error:
            raise NotADocument(str(error)) from None
        names = [field.name for field in fields(cls)]
        if not isinstance(value, dict) or sorted(value) != sorted(names):
            raise NotADocument(f"It has not exactly the fields {', '.join(names)}.")
        if not is_item_id(value["id"]):
            raise NotADocument("Its id is not a UUID in lower case.")
        for name in ("manufacturer", "model"):
            if not isinstance(value[name], str) or not 1 <= len(value[name]) <= _MAX_TEXT:
                raise NotADocument(f"Its {name} is not a text of 1 to {_MAX_TEXT} characters.")
            if CONTROL.search(value[name]):
                raise NotADocument(f"Its {name} has a control character.")
        if type(value["year"]) is not int or value["year"] not in _YEARS:
            raise NotADocument(f"Its year is not from {_YEARS.start} to {_YEARS.stop - 1}.")
        if not _is_time(value["created_at"]):
            raise NotADocument("Its created_at is not a time as this program writes it.")
        return cls(**value)


@dataclass(frozen=True)
class Submission:
    """A document in its file.

    Attributes:
        file: where it is.
        document: what it says.
        content: the bytes of the file.
        is_new: whether the file was made just now.
    """

    file: Path
    document: Document
    content: bytes
    is_new: bool

    @property
    def key(self) -> str:
        """The key of its object."""
        return f"{self.document.id}/{self.file.name}"

    @property
    def sha256(self) -> str:
        """The SHA-256 of its content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def item(self) -> dict[str, Any]:
        """Return the item to be stored, in DynamoDB's form."""
        document = self.document
        texts = {
            "id": document.id,
            "manufacturer": document.manufacturer,
            "model": document.model,
            "status": STATUS_UPLOADED,
            "created_at": document.created_at,
            "updated_at": document.created_at,
            "s3_key": self.key,
            "sha256": self.sha256,
        }
        numbers = {"year": document.year, "version": FIRST_VERSION}
        return {name: {"S": text} for name, text in texts.items()} | {
            name: {"N": str(number)} for name, number in numbers.items()
        }


def names(name: str, count: int) -> list[str]:
    """Return the names of `count` files: `a.json`, or `a-1.json`, `a-2.json` and so on.

    Raises:
        OdysseyError: a file cannot be called so.
    """
    if count == 1:
        return [checked_name(name)]
    path = Path(checked_name(name))
    return [checked_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, count + 1)]


def checked_name(name: str) -> str:
    """Return `name` if a file and an object can be called so.

    Raises:
        OdysseyError: they cannot.
    """
    problem = ""
    if not name.strip():
        problem = "The file's name is empty."
    elif _UNUSABLE.search(name) or name in (".", ".."):
        problem = f"{name!r} is not the name of a file: it has a separator or control character."
    elif not _is_utf8(name) or len(name.encode()) > _MAX_NAME_BYTES:
        problem = f"{name[:50]!r} is longer than {_MAX_NAME_BYTES} bytes or not UTF-8."
    if problem:
        raise OdysseyError(problem, "Give a plain name like laptop.json, and a folder by --dir.")
    return name


def write(folder: Path, name: str, wanted: Wanted) -> Submission:
    """Write a new document, or find the one that was written before.

    Raises:
        OdysseyError: the file has other content, or cannot be written.
    """
    file = folder / name
    try:
        found = _found(file, wanted)
        if found is not None:
            return found
        document = _new(wanted)
        content = document.content()
        if _write_once(file, content):
            return Submission(file, document, content, is_new=True)
        # Somebody else was faster.
        again = _found(file, wanted)
    except OSError as error:
        why = error.strerror if folder.is_dir() else f"there is no folder {folder}"
        raise OdysseyError(
            f"{file} cannot be written: {why}.", "Choose another folder by --dir."
        ) from error
    if again is None:
        raise OdysseyError(f"{file} came and went.", "Run it again.")
    return again


def _found(file: Path, wanted: Wanted) -> Submission | None:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    remedy = "Choose another name, or remove the file."
    try:
        document = Document.read(content)
    except NotADocument as error:
        raise OdysseyError(
            f"{file} exists and was not written by submit: {error}", remedy
        ) from None
    for name, value in asdict(wanted).items():
        if value is not None and getattr(document, name) != value:
            raise OdysseyError(
                f"{file} exists with another {name}: {getattr(document, name)!r}.", remedy
            )
    return Submission(file, document, content, is_new=False)


def _new(wanted: Wanted) -> Document:
    manufacturer, model = random.choice(_SAMPLES)  # noqa: S311 - a sample, not a secret
    now = times.now()
    document = Document(
        id=str(uuid.uuid4()),
        manufacturer=manufacturer if wanted.manufacturer is None else wanted.manufacturer,
        model=model if wanted.model is None else wanted.model,
        year=wanted.year if wanted.year is not None else now.year - random.randrange(10),  # noqa: S311
        created_at=times.rfc3339(now),
    )
    try:
        return Document.read(document.content())
    except UnicodeEncodeError:
        problem = "There can be no such document: a text is not UTF-8."
        raise OdysseyError(problem, "Change the option.") from None
    except NotADocument as error:
        raise OdysseyError(
            f"There can be no such document: {error}", "Change the option."
        ) from None


def _write_once(file: Path, content: bytes) -> bool:
    """Make the file whole or not at all; return whether it was not there before."""
    with temporary(file.parent, content) as draft:
        try:
            os.link(draft, file)
        except FileExistsError:
            return False
    return True


@contextmanager
def temporary(folder: Path, content: bytes) -> Iterator[Path]:
    """Write a file that is gone when the block ends, if it is still there."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".odyssey-", delete=False) as draft:
        path = Path(draft.name)
        try:
            draft.write(content)
            draft.flush()
            # Nothing is sent for a file that a power cut could take away.
            os.fsync(draft.fileno())
            path.chmod(0o644)
            yield path
        finally:
            path.unlink(missing_ok=True)


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and times.rfc3339(datetime.fromisoformat(value)) == value
    except (ValueError, OverflowError):
        return False


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
