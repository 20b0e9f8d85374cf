"""What the flows have in common: clouds in memory, poison, and bringing back what was given up."""

from __future__ import annotations

import contextlib
import json
import random
import re
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proofs.chaos.faults import Faults
from proofs.chaos.history import History, Violation
from proofs.chaos.running import BEGINNING, Machine, Schedule, Sink, Stuck, runtime
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.events import FakeEvents
from proofs.fakes.firehose import FakeFirehose
from proofs.fakes.sns import FakeSNS
from proofs.fakes.sqs import FakeSQS

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

    from proofs.deployed import Deployed

REJECTS = "https://sqs/rejects"
DEADLY = "deadly"
_NAME = re.compile(r"(?:event|poison|killer)-[0-9]+")
# Every hundredth event is one that can never get through, in runs of any length; of these, every
# fourth is one at which a function dies.
POISON_EVERY, KILLER_EVERY = 100, 4
# How often what was given up is brought back while clouds still fail, and how often in all.
_IN_TROUBLE, _ROUNDS = 2, 20
# After so many times together, dead letters are brought back one by one (`redrive --apart`): all
# that is left by then shares its batches with something that kills the function.
_TOGETHER = 4
# Between what is given up and whoever brings it back.
_OPERATOR_SECONDS = 600.0


def name_of(text: str) -> str | None:
    """Return the name of the event that a text is about, the first in it."""
    found = _NAME.search(text)
    return found[0] if found else None


class Calls(list[Any]):
    """Counts calls, and keeps none: a run makes more than fit into memory."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __len__(self) -> int:
        """Return how many there were."""
        return self.number

    def clear(self) -> None:
        """Begin to count anew."""
        self.number = 0

    def append(self, _call: Any) -> None:
        """Count a call."""
        self.number += 1


@dataclass(frozen=True)
class Poison:
    """What can never be processed, and what must become of it.

    Attributes:
        name: of the event.
        source: the function that rejects it, or at which it is given up; "a+b" for several, each
            of which must reject it.
        cause: a part of what the reject says; "" for what is given up.
    """

    name: str
    source: str
    cause: str = ""


@dataclass
class Clouds:
    """What the functions of a flow call; all share one set of hooks."""

    dynamodb: FakeDynamoDB
    sqs: FakeSQS
    events: FakeEvents
    firehose: FakeFirehose
    sns: FakeSNS

    @classmethod
    def with_tables(cls, tables: dict[str, dict[str, Any]], *topics: str) -> Clouds:
        """Return clouds with these tables and topics."""
        dynamodb = FakeDynamoDB(tables)
        dynamodb.calls = Calls()
        return cls(
            dynamodb,
            FakeSQS(dynamodb),
            FakeEvents(dynamodb),
            FakeFirehose(dynamodb),
            FakeSNS.with_topics(dynamodb, *topics),
        )


@dataclass
class World(ABC):
    """A flow between its sources.

    Attributes:
        deployed: how things are delivered.
        number: how many events go in.
        seed: what decides everything.
        poison: what can never be processed, by name.
        killers: what some function dies of, by name; `source` is that function.
    """

    deployed: Deployed
    number: int
    seed: int
    poison: dict[str, Poison] = field(default_factory=dict)
    killers: dict[str, Poison] = field(default_factory=dict)
    rounds: int = 0

    def __post_init__(self) -> None:
        self.generator = random.Random(self.seed)  # noqa: S311 - to be the same again
        self.schedule, self.history = Schedule(), History()
        self.log: io.TextIOBase = Sink()
        self.clouds = self.make_clouds()
        clouds = self.clouds
        self.faults = Faults(
            self.generator,
            sqs=clouds.sqs,
            events=clouds.events,
            firehose=clouds.firehose,
            dynamodb=clouds.dynamodb,
        )
        clouds.dynamodb.before, clouds.dynamodb.after = self._before, self.faults.after
        functions = self.functions()
        self.machine = Machine(
            self.generator,
            self.faults,
            self.schedule,
            self.history,
            {each.rpartition(".")[2]: self.deployed.timeout(each) for each in functions},
            self.restart,
            waiting=self.waiting,
        )
        self.make_sources()

    # What each flow says of itself.

    @abstractmethod
    def make_clouds(self) -> Clouds:
        """Return the clouds."""

    @abstractmethod
    def functions(self) -> tuple[str, ...]:
        """Return the handlers of the flow."""

    @abstractmethod
    def variables(self) -> dict[str, str]:
        """Return what the stacks tell the functions."""

    @abstractmethod
    def make_sources(self) -> None:
        """Make what delivers."""

    @abstractmethod
    def restart(self) -> None:
        """Let the next invocation be the first of a new process."""

    @abstractmethod
    def kinds(self) -> list[Callable[[str], Poison]]:
        """Return what makes poison of a name, one for each kind."""

    @abstractmethod
    def deadly(self) -> tuple[str, ...]:
        """Return what dies of killers, or never gets through with them."""

    @abstractmethod
    def feed(self) -> None:
        """Plan everything that comes in."""

    @abstractmethod
    def pump(self) -> None:
        """Carry what functions have sent to where it is delivered from."""

    @abstractmethod
    def redrive(self) -> int:
        """Bring back what was given up; return how much that was."""

    @abstractmethod
    def dead(self) -> list[str]:
        """Return the events that are given up now."""

    @abstractmethod
    def reckon(self) -> Iterator[Violation]:
        """Yield what is not as it must be, apart from poison."""

    @abstractmethod
    def ended(self) -> dict[str, int]:
        """Return where events ended, and how many."""

    # What all do.

    def live(self) -> list[Violation]:
        """Let everything happen; return which promises were not kept."""
        with self._environment():
            try:
                self._come_to_rest()
            except Stuck as stuck:
                return [Violation(stuck.event, stuck.what)]
            self.faults.scale = 0
            return [*self._unsettled(), *self.reckon(), *self._poison()]

    def _come_to_rest(self) -> None:
        self.feed()
        self.schedule.run()
        while self.rounds < _ROUNDS and (self._is_unsettled() or self._is_worth_a_try()):
            self.rounds += 1
            if self.rounds > _IN_TROUBLE:
                self.faults.scale = 0
            self.schedule.now += _OPERATOR_SECONDS
            self.redrive()
            self.schedule.run()

    def rejected(self) -> list[tuple[str, str, str]]:
        """Return of each message in the rejects queue the event, the function and the cause."""
        return [
            (
                self.name_of_reject(each["MessageBody"]),
                each["MessageAttributes"]["source"]["StringValue"],
                json.loads(f'"{each["MessageAttributes"]["cause"]["StringValue"]}"'),
            )
            for each in self.clouds.sqs.queues.get(REJECTS, [])
        ]

    def name_of_reject(self, body: str) -> str:
        """Return the event that a reject is of."""
        return name_of(body) or "unknown"

    def make_bad(self, place: int) -> str:
        """Plan one event that can never get through, and say what it is called.

        Each seed begins with other kinds and another function: where the seed before ends if that
        has `KILLER_EVERY` of these events. So three seeds in a row with 400 events each have nine
        kinds in turn and three functions, and no flow has more.

        Args:
            place: its number among these, from 0.
        """
        if (place + self.seed) % KILLER_EVERY == KILLER_EVERY - 1:
            name, functions = f"killer-{place}", self.deadly()
            function = functions[(self.seed + len(self.killers)) % len(functions)]
            self.killers[name] = Poison(name, function)
            self.machine.killers.setdefault(function, set()).add(name)
            return name
        name, kinds = f"poison-{place}", self.kinds()
        first = self.seed * (KILLER_EVERY - 1)
        self.poison[name] = kinds[(first + len(self.poison)) % len(kinds)](name)
        return name

    def bad(self) -> Counter[tuple[str, str]]:
        """Return how many there are of each kind that never gets through; 0 where there is none.

        A kind is where it ends and why: the cause of poison, `DEADLY` of what ends a function.
        """
        every = [(each.source, each.cause) for each in (make("") for make in self.kinds())]
        found = Counter(dict.fromkeys([*every, *((each, DEADLY) for each in self.deadly())], 0))
        found.update((each.source, each.cause) for each in self.poison.values())
        found.update((each.source, DEADLY) for each in self.killers.values())
        return found

    def count_ended(self) -> Counter[str]:
        """Return how many events are in the rejects queue and given up."""
        names = {name for name, _, _ in self.rejected()}
        return Counter({"rejects queue": len(names), "dead letters": len(set(self.dead()))})

    @property
    def apart(self) -> bool:
        """Whether dead letters are brought back one by one now."""
        return self.rounds > _TOGETHER

    def is_of_edge(self, poison: Poison) -> bool:
        """Say whether poison is refused where it comes in, and kept nowhere."""
        return not poison.source

    def _before(self, call: Any) -> None:
        # Whoever waits for messages has let time pass.
        self.schedule.now = max(self.schedule.now, BEGINNING + self.clouds.sqs.now)
        self.clouds.sqs.now = self.schedule.elapsed
        self.faults.before(call)

    def _is_unsettled(self) -> bool:
        return bool(set(self.dead()) - self.killers.keys()) or self.has_more()

    def _is_worth_a_try(self) -> bool:
        """Say whether people still bring back what never gets through, because nobody knows yet."""
        return bool(self.dead()) and self.rounds < _IN_TROUBLE

    def waiting(self) -> int:
        """Return how much is given up now."""
        return len(self.dead())

    def has_more(self) -> bool:
        """Say whether something else than dead letters is still to be brought back."""
        return False

    def _unsettled(self) -> Iterator[Violation]:
        for each in sorted(set(self.dead()) - self.killers.keys()):
            yield Violation(each, f"is still given up after {self.rounds} redrives")

    def _poison(self) -> Iterator[Violation]:
        found: dict[str, list[tuple[str, str]]] = {}
        for name, source, cause in self.rejected():
            found.setdefault(name, []).append((source, cause))
        for name in sorted(found.keys() - self.poison.keys()):
            yield Violation(name, f"was rejected though nothing is wrong with it: {found[name][0]}")
        for name, poison in self.poison.items():
            yield from self._rejected_once(poison, found.get(name, []))
        dead = set(self.dead())
        for name, killer in self.killers.items():
            if name not in dead:
                yield Violation(name, f"killed {killer.source} and is in no dead-letter queue")

    def _rejected_once(self, poison: Poison, found: list[tuple[str, str]]) -> Iterator[Violation]:
        sources = set() if self.is_of_edge(poison) else set(poison.source.split("+"))
        for source in sorted(sources - {source for source, _ in found}):
            yield Violation(poison.name, f"is not in the rejects queue, by {source}")
        for source, cause in found:
            if source not in sources or poison.cause not in cause:
                yield Violation(
                    poison.name, f"was rejected by {source}: {cause!r}, not: {poison.cause!r}"
                )
        # Two calls cannot be one: what dies between them rejects once more when it comes again.
        for source in {source for source, _ in found}:
            copies = sum(each == source for each, _ in found)
            handed = self.machine.handed[source, poison.name]
            if copies > handed:
                yield Violation(poison.name, f"was rejected {copies} times, and handed {handed}")

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        clouds = {name: getattr(self.clouds, name) for name in ("dynamodb", "sqs", "events", "sns")}
        variables = self.variables()
        with runtime(self.schedule, clouds | self.other_clouds(), variables, self.log):
            self.restart()
            try:
                yield
            finally:
                self.restart()

    def other_clouds(self) -> dict[str, Any]:
        """Return more functions' clients, by the names in `shared.clients`."""
        return {}
