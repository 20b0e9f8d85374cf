"""The rows of the benchmark, by the names they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import (
    bundles,
    discovery,
    events,
    idle,
    ingest,
    ingest_cost,
    network,
    pubsub,
    startup,
    synth,
)
from bench.figures import Row, not_measured
from bench.template import Template
from odyssey_cli import cdk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

AGGREGATOR, DISCOVERY, PUBSUB = "EventAggregator", "Discovery", "PubSub"
INGEST, CONSUMER, NETWORK = "Ingest", "Consumer", "Network"
STAGES = ("dev", "prod")


class Bench:
    """Measures rows; what several of them read is made once.

    Args:
        say: told what is going on.
        cold: also measure the demo without caches.
    """

    def __init__(self, say: Callable[..., None], *, cold: bool = False) -> None:
        self._say = say
        self._cold = cold
        self._stages: dict[str, list[Template]] = {}
        self._events: events.Measured | None = None
        self._items: discovery.Measured | None = None
        self._messages: pubsub.Measured | None = None
        self._ingested: ingest.Measured | None = None

    @property
    def rows(self) -> dict[str, Callable[[], Iterable[Row]]]:
        """What can be measured, the longest last."""
        return {
            "bundle": lambda: bundles.zip_rows(self._stacks("dev")),
            "import": lambda: bundles.import_rows(self._stacks("dev"), self._say),
            "calls": self._calls,
            "cost": self._cost,
            "synth": lambda: synth.rows(self._say),
            "demo": lambda: startup.rows(self._say, cold=self._cold),
        }

    def measure(self, names: Sequence[str]) -> Iterator[Row]:
        """Measure the named rows, one after the other; one that fails does not stop the others."""
        known = self.rows
        for name in names:
            self._say(name)
            try:
                yield from known[name]()
            except Exception as error:  # noqa: BLE001 - whatever it was, the row says it
                yield not_measured(name, f"{type(error).__name__}: {error}")

    def _stacks(self, stage: str) -> list[Template]:
        if stage not in self._stages:
            self._say(f"synthesizing {stage}")
            assembly = synth.ours(stage=stage)
            self._stages[stage] = [Template.read(assembly, name) for name in cdk.stacks(assembly)]
        return self._stages[stage]

    def _template(self, stack: str) -> Template:
        return next(each for each in self._stacks("dev") if each.name == stack)

    def _networks(self) -> dict[str, Template]:
        self._say("synthesizing variants of the network")
        assembly = synth.variants()
        return {name: Template.read(assembly, name) for name in network.VARIANTS}

    def _calls(self) -> Iterator[Row]:
        yield from events.call_rows(self._fed_events())
        yield from discovery.call_rows(self._sent_items())
        yield from pubsub.call_rows(self._said_messages())
        yield from ingest.call_rows(self._ingested_events())

    def _cost(self) -> Iterator[Row]:
        yield from events.cost_rows(self._fed_events())
        yield from discovery.cost_rows(self._sent_items())
        yield from pubsub.cost_rows(self._said_messages())
        yield from ingest_cost.cost_rows(self._ingested_events())
        yield from idle.rows({stage: self._stacks(stage) for stage in STAGES})
        yield from network.rows(self._template(NETWORK), self._networks())

    def _fed_events(self) -> events.Measured:
        if self._events is None:
            template = self._template(AGGREGATOR)
            self._say("feeding events, some seconds")
            self._events = events.measure(template)
        return self._events

    def _sent_items(self) -> discovery.Measured:
        if self._items is None:
            template = self._template(DISCOVERY)
            self._say("sending items, some seconds")
            self._items = discovery.measure(template)
        return self._items

    def _said_messages(self) -> pubsub.Measured:
        if self._messages is None:
            template = self._template(PUBSUB)
            self._say("saying messages, some seconds")
            self._messages = pubsub.measure(template)
        return self._messages

    def _ingested_events(self) -> ingest.Measured:
        if self._ingested is None:
            templates = self._template(INGEST), self._template(CONSUMER)
            self._say("putting records, half a minute")
            self._ingested = ingest.measure(*templates)
        return self._ingested
