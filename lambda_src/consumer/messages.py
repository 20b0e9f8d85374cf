"""What is in the service's queue: events as a bus delivers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.kinds import TYPES
from shared import entity_events, strict_json
from shared.queues import json_text
from shared.rejects import Unprocessable

if TYPE_CHECKING:
    from datetime import datetime

    from shared.entity_events import EntityEvent


def read(body: str, *, now: datetime) -> EntityEvent:
    """Return the event in a message of the queue, which holds what the bus delivers.

    Args:
        body: of the message.
        now: the time.

    Raises:
        Unprocessable: it is not one, or of a type that the service does not know.
    """
    try:
        # The bus puts one level around what the intake took.
        delivered = strict_json.parse(
            body.encode("utf-8", errors="surrogatepass"), depth=strict_json.MAX_DEPTH + 1
        )
    except strict_json.InvalidJson as error:
        raise Unprocessable(str(error)) from None
    detail = delivered.get("detail") if isinstance(delivered, dict) else None
    if not isinstance(detail, dict):
        raise Unprocessable("The message is not an event of a bus with a 'detail'.")
    event = entity_events.from_dict(detail, now=now)
    if event.envelope.type not in TYPES:
        raise Unprocessable(f"The event's type is not one of {', '.join(TYPES)}.")
    return event


def body_of(event: EntityEvent) -> str:
    """Return what `read` reads: an event as the bus would deliver it, of what is read here."""
    delivered = {
        "detail-type": event.envelope.type,
        "source": event.envelope.source,
        "resources": [event.entity],
        "detail": event.envelope.as_dict(),
    }
    return json_text(delivered)
