"""Batches of events that take effect on items, each event once for ever.

The marker of an event and its effects are one transaction: an event that comes again finds its
marker and changes nothing, whatever crashed in between. Events are grouped by the items they
change, so that n events and k items cost n + k actions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from botocore.exceptions import ClientError

from shared.aws_errors import AWS_ERRORS, NOT_TRIED, error_code
from shared.transactions import (
    CONDITION_FAILED,
    MAX_ACTIONS,
    PASSING,
    Contended,
    backoff,
    transact,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from shared.transactions import Tries

# Bytes of all items in one transaction: 4 MB ("Amazon DynamoDB transactions: how it works",
# 2026-11-21), of which some are left for markers.
_MAX_BYTES = 4_000_000


class Identified(Protocol):
    """What has an id, the same for every delivery of it."""

    @property
    def id(self) -> str:
        """The id, at most once in the table of markers."""


E = TypeVar("E", bound=Identified)
E_contra = TypeVar("E_contra", bound=Identified, contravariant=True)


class Effects(Protocol[E_contra]):
    """What events do to items; keeps in mind what it has read of them."""

    def keys(self, event: E_contra) -> tuple[str, ...]:
        """Return the keys of the items that an event changes."""

    def read(self, keys: set[str]) -> None:
        """Read what the actions on these items depend on, as of now.

        Raises:
            Contended: DynamoDB left some unread every time.
        """

    def action(self, key: str, members: Sequence[E_contra]) -> TransactWriteItemTypeDef | None:
        """Return what `members` together do to an item; None if it can stay as it is.

        Its condition fails if what was read of the item is no longer true.
        """

    def took_effect(self, key: str, members: Sequence[E_contra]) -> None:
        """Learn that the action of `members` has taken effect."""


@dataclass(frozen=True)
class Markers:
    """Where it is kept which events took effect.

    Attributes:
        table: whose key is `id`.
        now: the time.
        days: for how many from now a marker is kept; longer than an event can come back.
    """

    table: str
    now: datetime
    days: int

    def put(self, id: str, **attributes: str) -> TransactWriteItemTypeDef:
        """Return the action that leaves the marker of an event, which fails if it is there."""
        expires_at = int((self.now + timedelta(days=self.days)).timestamp())
        return {
            "Put": {
                "TableName": self.table,
                "Item": {
                    "id": {"S": id},
                    **{name: {"S": text} for name, text in attributes.items()},
                    "expires_at": {"N": str(expires_at)},
                },
                "ConditionExpression": "attribute_not_exists(id)",
            }
        }


@dataclass
class Result(Generic[E]):
    """What became of the events.

    Attributes:
        counted: how many took effect now.
        already: how many had taken effect before.
        failed: those that must come again, and by which error of DynamoDB's they failed.
    """

    counted: int = 0
    already: int = 0
    failed: dict[E, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ExactlyOnce(Generic[E]):
    """Lets events take effect in as few calls as DynamoDB's limits allow.

    An event or item that DynamoDB refuses fails alone, the others of its transaction take effect.
    Where DynamoDB refuses a request as a whole, its events fail: reported one by one, they come
    again together, while an exception would make Lambda halve the batch again and again.

    Attributes:
        marker: makes the action that leaves an event's marker, see `Markers`.
        effects: what the events do.
        client: for the tables.
        tries: paces repeated transactions.
        size: how many bytes of items an event makes at most, where that is much.
    """

    marker: Callable[[E], TransactWriteItemTypeDef]
    effects: Effects[E]
    client: DynamoDBClient
    tries: Tries = backoff
    size: Callable[[E], int] = lambda _event: 0

    def apply(self, events: Iterable[E]) -> Result[E]:
        """Let `events` take effect; what comes twice among them does so once."""
        unique = list({event.id: event for event in events}.values())
        result: Result[E] = Result()
        try:
            self.effects.read({key for event in unique for key in self.effects.keys(event)})
        except (*AWS_ERRORS, Contended) as error:
            result.failed.update(dict.fromkeys(unique, error_code(error)))
            return result
        is_available = True
        for chunk in self._chunks(unique):
            if is_available:
                is_available = self._apply(chunk, result)
            else:
                # Waiting as long for every other chunk would outlast the invocation, and what
                # takes no effect now comes again anyway.
                result.failed.update(dict.fromkeys(chunk, NOT_TRIED))
        return result

    def _apply(self, chunk: list[E], result: Result[E]) -> bool:
        """Apply a chunk or report it as failed; return whether DynamoDB answered in time."""
        cause, is_available = Contended.__name__, False
        try:
            for _ in self.tries():
                chunk = self._try(chunk, result)
                if not chunk:
                    return True
        except (*AWS_ERRORS, Contended) as error:
            cause, is_available = error_code(error), isinstance(error, ClientError)
        result.failed.update(dict.fromkeys(chunk, cause))
        return is_available

    def _try(self, chunk: list[E], result: Result[E]) -> list[E]:
        """Try a transaction; return what is left of it to be tried again."""
        by_key = self._by_key(chunk)
        actions = {key: self.effects.action(key, members) for key, members in by_key.items()}
        due = {key: action for key, action in actions.items() if action is not None}
        reasons = transact(self.client, [*map(self.marker, chunk), *due.values()])
        if not reasons:
            for key in due:
                self.effects.took_effect(key, by_key[key])
            result.counted += len(chunk)
            return []
        of_events = dict(zip((event.id for event in chunk), reasons, strict=False))
        of_keys = dict(zip(due, reasons[len(chunk) :], strict=True))
        if CONDITION_FAILED in of_keys.values():
            # Another writer has changed an item since it was read.
            self.effects.read(set(by_key))
        return self._remaining(chunk, of_events, of_keys, result)

    def _remaining(
        self,
        chunk: Sequence[E],
        of_events: Mapping[str, str],
        of_keys: Mapping[str, str],
        result: Result[E],
    ) -> list[E]:
        """Take out of a cancelled chunk what took effect before and what cannot do so now."""
        remaining = []
        for event in chunk:
            reasons = [of_events[event.id]]
            reasons += [of_keys[key] for key in self.effects.keys(event) if key in of_keys]
            if of_events[event.id] == CONDITION_FAILED:
                result.already += 1
            elif lasting := [
                each for each in reasons if each not in PASSING and each != CONDITION_FAILED
            ]:
                result.failed[event] = lasting[0]
            else:
                remaining.append(event)
        return remaining

    def _by_key(self, chunk: Iterable[E]) -> dict[str, list[E]]:
        members: dict[str, list[E]] = defaultdict(list)
        for event in chunk:
            for key in self.effects.keys(event):
                members[key].append(event)
        return dict(members)

    def _chunks(self, events: Iterable[E]) -> Iterator[list[E]]:
        """Split into transactions: an action per event and one per item among them."""
        alike: dict[tuple[str, ...], list[E]] = defaultdict(list)
        for event in events:
            alike[self.effects.keys(event)].append(event)
        chunk: list[E] = []
        keys: set[str] = set()
        size = 0
        for own, members in alike.items():
            for event in members:
                added = self.size(event)
                actions = len(chunk) + 1 + len(keys | {*own})
                if chunk and (actions > MAX_ACTIONS or size + added > _MAX_BYTES):
                    yield chunk
                    chunk, keys, size = [], set(), 0
                chunk.append(event)
                keys |= {*own}
                size += added
        if chunk:
            yield chunk
