"""The lake's bucket as far as the error prefix, for whoever brings back what is in there."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from odyssey_cli.flows.ingest.given_up import GivenUp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs.chaos.firehose import FirehoseSource

PREFIX = "errors/"


@dataclass
class Errors:
    """The objects that a delivery stream has written, and an S3 client for them.

    Attributes:
        firehose: the stream; what it has given up since somebody looked is one object.
        objects: lines by key.
    """

    firehose: FirehoseSource
    objects: dict[str, bytes] = field(default_factory=dict)
    _number: int = 0

    def given_up(self) -> list[tuple[str, GivenUp]]:
        """Return what is in there, each with its event."""
        self._write()
        found = [
            GivenUp.of(line) for body in self.objects.values() for line in body.splitlines() if line
        ]
        return [(self.firehose.event_of(each.record), each) for each in found]

    def get_paginator(self, operation: str) -> Errors:
        """Return the one paginator."""
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **_request: Any) -> Iterator[dict[str, Any]]:
        """Yield the one page of objects."""
        self._write()
        yield {"Contents": [{"Key": key} for key in self.objects]}

    def get_object(self, *, Key: str, **_owner: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Return an object."""
        return {"Body": io.BytesIO(self.objects[Key])}

    def put_object(self, *, Key: str, Body: bytes, **_owner: str) -> None:  # noqa: N803
        """Write an object anew."""
        self.objects[Key] = Body

    def delete_object(self, *, Key: str, **_owner: str) -> None:  # noqa: N803
        """Delete an object."""
        del self.objects[Key]

    def _write(self) -> None:
        documents, self.firehose.errors = self.firehose.errors, []
        if documents:
            self._number += 1
            body = "".join(f"{document}\n" for _, document in documents)
            self.objects[f"{PREFIX}{self._number}"] = body.encode()
