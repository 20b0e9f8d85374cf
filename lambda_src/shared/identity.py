"""Ids that are the same whenever the same thing comes again."""

from __future__ import annotations

import hashlib
import re
import uuid

from shared.problems import bad_request

# Visible ASCII, the length is ours: the draft standard of the header sets none.
KEY = r"[\x21-\x7e]{1,255}"
_KEY = re.compile(KEY)


def is_key(text: object) -> bool:
    """Say whether `text` can name a request: 1 to 255 visible ASCII characters."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


def request_id(idempotency_key: str | None, *, scope: str) -> str:
    """Return the id of a request: the same for the same key in one scope, else a new one.

    Args:
        idempotency_key: the client's name for the request; None if it gave none.
        scope: whose names they are.

    Raises:
        Problem: 400 for an unusable key.
    """
    if idempotency_key is None:
        return str(uuid.uuid4())
    if not is_key(idempotency_key):
        raise bad_request(
            "idempotency-key", "Idempotency-Key must be 1 to 255 visible ASCII characters."
        )
    return stable_id(scope, idempotency_key)


def stable_id(*parts: str) -> str:
    """Return the UUID of `parts`: of one kind, which the first names, always as many.

    None but the first may hold a line break.
    """
    name = hashlib.sha256("\n".join(parts).encode())
    return str(uuid.UUID(bytes=name.digest()[:16]))
