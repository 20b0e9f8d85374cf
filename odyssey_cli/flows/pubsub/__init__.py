"""Clients of the word counter: they say things as Slack and curl do, and read the counts."""

STACK = "PubSub"
