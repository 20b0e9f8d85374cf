"""The rows of the benchmark, by the names they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import bundles, events, startup, synth
from bench.figures import Row, not_measured
from bench.template import Template
from odyssey_cli import cdk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

STACK = "EventAggregator"


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
        self._measured: events.Measured | None = None

    @property
    def rows(self) -> dict[str, Callable[[], Iterable[Row]]]:
        """What can be measured, the longest last."""
        return {
            "bundle": lambda: bundles.zip_rows(self._template()),
            "import": lambda: bundles.import_rows(self._template(), self._say),
            "calls": lambda: events.call_rows(self._events()),
            "cost": lambda: events.cost_rows(
                self._events(), {stage: self._stacks(stage) for stage in ("dev", "prod")}
            ),
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

    def _template(self) -> Template:
        return next(each for each in self._stacks("dev") if each.name == STACK)

    def _events(self) -> events.Measured:
        if self._measured is None:
            template = self._template()
            self._say("feeding events, some seconds")
            self._measured = events.measure(template)
        return self._measured
