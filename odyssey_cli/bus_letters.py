"""Events that a bus could not put into a queue, in the queue's own dead-letter queue.

EventBridge says why in attributes of the message ("Using dead-letter queues to process undelivered
events in EventBridge", 2026-11-21); its body is what the queue was to get.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_RULE, _CODE = "RULE_ARN", "ERROR_CODE"
_OURS = frozenset(
    {
        _RULE,
        _CODE,
        "TARGET_ARN",
        "ERROR_MESSAGE",
        "EXHAUSTED_RETRY_CONDITION",
        "RETRY_ATTEMPTS",
    }
)


def is_letter(attributes: Mapping[str, Any]) -> bool:
    """Say whether a message with these attributes is such an event."""
    return _RULE in attributes and _CODE in attributes


def cause(attribute: Callable[[str], str]) -> str:
    """Return why it is there; `attribute` returns a text attribute, "" without it."""
    rule = attribute(_RULE).rpartition("/")[2]
    message, retries = attribute("ERROR_MESSAGE"), attribute("RETRY_ATTEMPTS") or "0"
    after = "" if retries == "0" else f" after {retries} retries"
    said = f": {message}" if message else ""
    return f"the rule {rule} could not deliver it{after}: {attribute(_CODE)}{said}"


def what(body: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the id of the event in it, "" if it has none."""
    detail = body.get("detail") if isinstance(body, dict) else None
    found = detail.get("id") if isinstance(detail, dict) else None
    return found if isinstance(found, str) else ""


def without(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message's attributes without those that EventBridge gave such an event."""
    if not is_letter(attributes):
        return dict(attributes)
    return {name: value for name, value in attributes.items() if name not in _OURS}
