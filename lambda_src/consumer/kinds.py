"""The types of events that the service knows; the bus's rule lets the same pass."""

from __future__ import annotations

TYPES = ("order", "device", "inventory", "security")
