"""What must be true of the intake and its consumer when all has come to rest."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from proofs.chaos.history import Violation
from proofs.chaos.world import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs.chaos.flows.ingest import Ingest

_BEYOND_STORER = {"emitter", "responder"}


def reckon(world: Ingest) -> Iterator[Violation]:
    """Yield what is not as it must be."""
    yield from _store(world)
    yield from _order(world)
    yield from _counts(world)
    yield from _lake(world)


def _store(world: Ingest) -> Iterator[Violation]:
    """Each event that came by the stream or the queue is stored once."""
    stored = Counter(name_of(json.dumps(each["event"])) for each in _events(world))
    expected = {name for name, way in world.ways.items() if way != "post"}
    expected |= {n for n, killer in world.killers.items() if killer.source in _BEYOND_STORER}
    for name in sorted(expected - stored.keys()):
        yield Violation(name, "was taken, and is not stored")
    for found, times in stored.items():
        if found not in expected:
            yield Violation(str(found), "is stored, and must not be")
        elif times > _allowed(world, str(found)):
            yield Violation(str(found), f"is stored {times} times")


def _allowed(world: Ingest, name: str) -> int:
    """Return how often an event may be stored.

    Without an id of its own it is a new one whenever a stream takes it, and who got no answer
    cannot know that it did.
    """
    return world.taken[name] if world.ways.get(name) == "stream, no id" else 1


def _copies(world: Ingest) -> Counter[str]:
    """Return how many events each is by now."""
    found = Counter(name_of(json.dumps(each["event"])) for each in _events(world))
    return Counter({name: max(1, found[name]) for name in world.made})


def _order(world: Ingest) -> Iterator[Violation]:
    """Of each group events are stored in the order in which the queue took them.

    What was given up and brought back is later than what came after it: nobody can help that.
    """
    copies = _copies(world)
    for group, stored in world.stored_order.items():
        places: dict[str, int] = {}
        for place, name in enumerate(world.fifo.arrived.get(group, [])):
            places.setdefault(name, place)
        last = -1
        for name in stored:
            if name in world.fifo.given_up or copies[name] > 1:
                continue
            place = places.get(name, -1)
            if place < last:
                yield Violation(name, "was stored after one that the queue took later")
            last = max(last, place)


def _counts(world: Ingest) -> Iterator[Violation]:
    """Each event counts once, and of each entity the latest event is its state."""
    tables = world.clouds.dynamodb.tables
    copies, by_id = _copies(world), _by_id(world)
    markers = Counter(by_id.get(marker.rpartition(" ")[2]) for marker in tables["markers"])
    for name in world.made:
        if not markers[name]:
            yield Violation(name, "was taken, and is not counted")
    for marked, times in markers.items():
        if marked not in world.made or times > copies[marked]:
            yield Violation(str(marked), f"is counted, as {times} events")
    totals = {key: int(each["event_count"]["N"]) for key, each in tables["totals"].items()}
    expected: Counter[str] = Counter()
    for name, event in world.made.items():
        expected[event.type] += copies[name]
    for kind in sorted(expected.keys() | totals.keys()):
        if expected[kind] != totals.get(kind, 0):
            what = f"counts {totals.get(kind, 0)} and has {expected[kind]} events"
            yield Violation(_suspect(world, kind), f"the total of {kind} {what}")
    yield from _states(world)


def _states(world: Ingest) -> Iterator[Violation]:
    latest: dict[str, tuple[str, str]] = {}
    ids = {name: event_id for event_id, name in _by_id(world).items()}
    for name, event in world.made.items():
        place = (event.time.isoformat(), ids.get(name, name))
        if place > latest.get(event.entity, (("", ""), ""))[0]:  # type: ignore[operator]
            latest[event.entity] = (place, name)  # type: ignore[assignment]
    states = world.states
    for entity, (_, name) in latest.items():
        found = states.get(entity)
        if found is None or found[1] != world.made[name].data:
            what = "none" if found is None else found[1].get("name")
            yield Violation(name, f"is the latest of {entity}, whose state is that of {what}")


def _lake(world: Ingest) -> Iterator[Violation]:
    """The lake has what the stream took: as often at most, and nothing else."""
    lines = Counter(name_of(line) for line in world.firehose.lake)
    for name, way in world.ways.items():
        if way.startswith("stream") and not lines[name]:
            yield Violation(name, "is not in the lake")
    for line, times in lines.items():
        if times > world.firehose.accepted.get(str(line), 0):
            yield Violation(str(line), f"is in the lake {times} times")
        if line in world.poison:
            yield Violation(str(line), "is in the lake, and is none of ours")
    for name, _ in world.errors.given_up():
        if name not in world.poison and not lines[name]:
            yield Violation(name, "is left in the error prefix")


def _events(world: Ingest) -> list[dict[str, Any]]:
    return [each for each in world.table.values() if "event" in each]


def _by_id(world: Ingest) -> dict[str, str]:
    """Return the name of each event by its id, which some got on their way."""
    found = {}
    for item in _events(world):
        event = item["event"]["M"]
        found[event["id"]["S"]] = event["data"]["M"]["name"]["S"]
    return found | world.posted


def _suspect(world: Ingest, kind: str) -> str:
    """Return an event of a kind, that with the most trouble."""
    hops = world.history.hops
    of_kind = [name for name, event in world.made.items() if event.type == kind]
    return max(of_kind, key=lambda name: len(hops.get(name, [])), default="unknown")
