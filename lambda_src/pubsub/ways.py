"""The ways in. The first three are Slack's."""

from __future__ import annotations

SLASH, EVENT, WEBHOOK, CURL = WAYS = ("slash", "event", "webhook", "curl")
