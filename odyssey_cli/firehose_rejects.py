"""Records of a delivery stream that its function has rejected: puts them back into the stream.

Firehose asks its function only once for each record, so that it has to come again as a new one,
which takes as long as the stream's buffers.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from odyssey_cli.invocations import NotDeliverable
from shared import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from odyssey_cli.target import Target

_STREAM, _DATA = "deliveryStreamArn", "data"
PUT_BACK = "into its delivery stream"
LATER = (
    "A delivery stream takes two minutes on AWS: see then whether what went into it again was "
    "rejected again."
)


def is_record(body: Any) -> bool:  # noqa: ANN401 - any JSON
    """Say whether `body` is a record that a function got of a delivery stream."""
    return isinstance(body, dict) and _STREAM in body


def put_back(
    target: Target, body: dict[str, Any], *, event_id: str, streams: Iterable[str]
) -> None:
    """Put a record's data into its stream once more.

    Args:
        target: where the stream is.
        body: the record, with its stream.
        event_id: what the event is called if its producer gave it no id.
        streams: the ARNs of those that it may be of: a message may name any.

    Raises:
        NotDeliverable: it cannot be.
    """
    stream = body[_STREAM]
    if stream not in streams:
        raise NotDeliverable(f"{stream!r} is no delivery stream of the stack")
    if _DATA not in body:
        raise NotDeliverable(
            "the record is too large for the queue; it is in the error prefix of the bucket"
        )
    try:
        data = base64.b64decode(body[_DATA], validate=True)
    except (ValueError, TypeError) as error:
        raise NotDeliverable(f"the record's data is not base64: {error}") from None
    target.client("firehose").put_record(
        DeliveryStreamName=stream.rpartition("/")[2], Record={"Data": _named(data, event_id)}
    )


def _named(data: bytes, event_id: str) -> bytes:
    """Return data with the id that its event had.

    The event may have been queued after all, and would be another one under the id of a new record.
    """
    try:
        fields = strict_json.parse(data)
    except strict_json.InvalidJson:
        return data
    if not event_id or not isinstance(fields, dict) or fields.get("id") is not None:
        return data
    return json.dumps(fields | {"id": event_id}, ensure_ascii=False).encode()
