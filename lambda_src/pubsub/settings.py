"""What the stack tells the API's functions, each environment read once into one typed object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pubsub.credentials import ApiSecret, SlackSecret
from pubsub.tables import Tables, tables
from shared import clients
from shared.environment import required


@dataclass(frozen=True)
class Counter:
    """The counter's environment."""

    tables: Tables
    topic: str
    slack: SlackSecret
    api: ApiSecret


@dataclass(frozen=True)
class Reader:
    """The reader's environment; `ranking` is the name of the index."""

    table: str
    ranking: str
    api: ApiSecret


@cache
def counter() -> Counter:
    """Read the counter's environment."""
    return Counter(
        tables=tables(),
        topic=required("TOPIC"),
        slack=SlackSecret(required("SLACK_SECRET"), clients.secretsmanager()),
        api=ApiSecret(required("API_SECRET"), clients.secretsmanager()),
    )


@cache
def reader() -> Reader:
    """Read the reader's environment."""
    return Reader(
        table=required("WORDS_TABLE"),
        ranking=required("RANKING"),
        api=ApiSecret(required("API_SECRET"), clients.secretsmanager()),
    )
