"""The consumer's API, as whoever may invoke it sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from odyssey_cli.flows.http import Answer, SignedClient
from odyssey_cli.flows.ingest import CONSUMER

if TYPE_CHECKING:
    from odyssey_cli.target import Target


class ConsumerApi:
    """Asks the consumer, and triggers it by hand.

    Args:
        target: where the stack is deployed.
        connections: how many requests may be under way at once.

    Raises:
        OdysseyError: the stack is not deployed there.
    """

    def __init__(self, target: Target, *, connections: int = 8) -> None:
        self.outputs = target.outputs(CONSUMER)
        self.client = SignedClient(self.outputs["ApiUrl"], target.session, connections=connections)

    def about(self) -> Answer:
        """Ask what it is."""
        return self.client.request("GET", "")

    def totals(self) -> Answer:
        """Ask how many events of each type were counted."""
        return self.client.request("GET", "totals")

    def entity(self, type: str, id: str) -> Answer:
        """Ask for an entity's latest state."""
        return self.client.request("GET", f"entities/{quote(type, safe='')}/{quote(id, safe='')}")

    def trigger(self, body: dict[str, Any] | bytes, *, key: str | None = None) -> Answer:
        """Hand it an event.

        Args:
            body: the event's `type`, `subject`, `data`, and `time` unless that is now.
            key: an idempotency key: the same event whenever it comes again.
        """
        headers = {"content-type": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        sent = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.client.request("POST", "events", body=sent, headers=headers)
