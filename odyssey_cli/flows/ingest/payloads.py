"""What the generator's events tell: orders, devices, inventory and security alerts.

Each of the four goes through a life of its own: several events tell of one entity, one after the
other. Everything follows from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

# What every hop must carry unchanged.
ODD = "Åsa café 😀 R&D C# 1+1 50% a;b %41"
_NAMES = (ODD, "Grete Hermann", "Zoë Ångström", "王小明", "Mary Jackson")
# How many entities of one type are told of at the same time.
_OPEN = 8
# Each step of a life but the first, and what it adds.
_ORDER = ("placed", "paid", "packed", "shipped", "delivered")
_ALERT = ("raised", "acknowledged", "resolved")


@dataclass(frozen=True)
class Story:
    """What one event tells, without its id and time."""

    type: str
    subject: str
    data: dict[str, Any]


@dataclass
class _Life:
    """One entity.

    Attributes:
        subject: its id.
        name: a text that goes with it.
        told: how many events have told of it.
        value: a number that changes from one event to the next.
    """

    subject: str
    name: str
    told: int = 0
    value: int = 0


@dataclass
class _Kind:
    """A type of entities, some of which are under way; `tell` makes the next event of one.

    Attributes:
        type: of the events.
        tell: returns the data of an entity's next event.
        steps: after how many events another entity takes its place; 0 for never.
        prefix: what the entities' ids begin with.
        open: those under way.
    """

    type: str
    tell: Callable[[_Life, random.Random], dict[str, Any]]
    steps: int
    prefix: str
    open: list[_Life] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def next(self, chance: random.Random) -> Story:
        while len(self.open) < _OPEN:
            number = next(self._numbers)
            self.open.append(_Life(f"{self.prefix}{number:04}", _NAMES[number % len(_NAMES) - 1]))
        life = self.open[chance.randrange(_OPEN)]
        data = self.tell(life, chance)
        life.told += 1
        if life.told == self.steps:
            self.open.remove(life)
        return Story(self.type, life.subject, {**data, "sequence": life.told})


def stories(type: str, *, chance: random.Random, seed: int) -> Iterator[Story]:
    """Yield what events tell, for ever.

    Args:
        type: one of the consumer's types of events, or `mix` for all of them.
        chance: what decides; made of the seed.
        seed: part of the ids of what is new in each run: orders and alerts.
    """
    kinds = [
        _Kind("order", _order, len(_ORDER), f"order-{seed}-"),
        _Kind("device", _device, 0, "device-"),
        _Kind("inventory", _inventory, 0, "sku-"),
        _Kind("security", _security, len(_ALERT), f"alert-{seed}-"),
    ]
    chosen = [each for each in kinds if type in (each.type, "mix")]
    while True:
        yield chosen[chance.randrange(len(chosen))].next(chance)


def _order(life: _Life, chance: random.Random) -> dict[str, Any]:
    if not life.value:
        life.value = chance.randrange(5_00, 900_00)
    status = _ORDER[life.told]
    data: dict[str, Any] = {
        "status": status,
        "customer": life.name,
        "total": {"amount": life.value / 100, "currency": "EUR"},
    }
    if status == "placed":
        lines = range(chance.randint(1, 3))
        data["lines"] = [
            {"sku": f"sku-{chance.randint(1, _OPEN):04}", "quantity": chance.randint(1, 5)}
            for _ in lines
        ]
    return data


def _device(life: _Life, chance: random.Random) -> dict[str, Any]:
    return {
        "location": life.name,
        "temperature": round(chance.gauss(21, 4), 2),
        "humidity": round(chance.uniform(20, 80), 1),
        "battery": chance.randint(0, 100),
        "online": chance.random() < 0.95,  # noqa: PLR2004 - most are
        "firmware": None if chance.random() < 0.1 else f"2.{chance.randint(0, 9)}",  # noqa: PLR2004
    }


def _inventory(life: _Life, chance: random.Random) -> dict[str, Any]:
    # What cannot be taken out is brought in.
    change = chance.randint(-20, 30)
    change = abs(change) if life.value + change < 0 else change
    life.value += change
    return {
        "name": life.name,
        "change": change,
        "on_hand": life.value,
        "warehouse": chance.choice(("Malmö", "Łódź", "Porto")),
        "reason": "received" if change > 0 else "shipped",
    }


def _security(life: _Life, chance: random.Random) -> dict[str, Any]:
    if not life.value:
        life.value = chance.randint(1, 10)
    data: dict[str, Any] = {
        "status": _ALERT[life.told],
        "severity": life.value,
        "rule": chance.choice(("root-login", "port-scan", "leaked-key", "unusual-region")),
        "by": life.name,
    }
    if not life.told:
        # "IPv4 Address Blocks Reserved for Documentation" (RFC 5737).
        data["address"] = f"203.0.113.{chance.randint(1, 254)}"
    return data
