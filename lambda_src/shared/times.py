"""Times as text that sorts: UTC, RFC 3339, always six digits of a second."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Return e.g. `2026-11-21T09:30:00.000000Z`; texts compare as the times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
