"""What came in, whichever way: one text, said once, however often it is delivered."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pubsub.ways import CURL
from shared.identity import request_id
from shared.problems import bad_request
from shared.requests import json_object

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

# Slack gives the text of an event twice, and may write a character as twelve (`\ud83d\ude00`).
MAX_BODY_BYTES = 256 * 1024
IDEMPOTENCY_KEY = "idempotency-key"


@dataclass(frozen=True)
class Delivery:
    """A text that somebody said.

    Attributes:
        id: a UUID, the same whenever this is delivered again.
        way: one of `WAYS`.
        text: as it was typed, without the word or mention that called us.
        idempotency_key: with which curl can send this again.
    """

    id: str
    way: str
    text: str
    idempotency_key: str = ""


def of_curl(request: BaseProxyEvent) -> Delivery:
    """Return the delivery that is a JSON object `{"text": …}`.

    Raises:
        Problem: 413 if it is too large, 400 if it is none.
    """
    body = json_object(request, max_bytes=MAX_BODY_BYTES)
    text = body.get("text")
    if not isinstance(text, str):
        raise bad_request("no-text", 'The body needs the text that was said: {"text": "…"}.')
    unknown = sorted(body.keys() - {"text"})
    if unknown:
        raise bad_request("unknown-field", f"The body has an unknown field, {unknown[0][:50]!r}.")
    # Who gave no key learns ours, in case this must be sent again.
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        key = str(uuid.uuid4())
    return Delivery(id=request_id(key, scope=CURL), way=CURL, text=text, idempotency_key=key)
