"""The attributes of a stored event: its key, and the envelope."""

from __future__ import annotations

ENTITY, AT, EVENT = "entity", "at", "event"
