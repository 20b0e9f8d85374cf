"""Topics in front of functions: asynchronous invocations, tried again and given up."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from local_cloud import async_delivery
from local_cloud.async_delivery import Again, Answer, AsyncSettings, Event
from proofs.chaos import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.chaos.running import Machine

# How long a delivery takes, on average: long enough for any order.
_SECONDS = 5.0
# Of deliveries that SNS itself gives up, because Lambda did not let it in.
_NOT_REACHED_RATE = 0.002


@dataclass
class Subscription:
    """A function that a topic invokes, with each message by itself and in any order.

    Attributes:
        machine: runs the function.
        name: of the function.
        handler: the function.
        settings: how often Lambda tries.
        event_of: returns the event that a message is about.
        letters: events of Lambda that were given up.
        again: called after each invocation.
    """

    machine: Machine
    name: str
    handler: Callable[..., Any]
    settings: AsyncSettings
    event_of: Callable[[str], str]
    letters: list[dict[str, Any]] = field(default_factory=list)
    again: Callable[[], None] = lambda: None
    _number: int = 0

    def dead(self) -> list[str]:
        """Return the events that are given up."""
        return [self._event(each) for each in self.letters]

    def deliver(self, payload: dict[str, Any]) -> None:
        """Take a message in, now and then twice."""
        self._number += 1
        if self.machine.faults.strikes(faults.NOT_REACHED, _NOT_REACHED_RATE, self.name):
            self._give_up(payload, "SNS could not hand it to Lambda")
            return
        times = 1
        if self.machine.faults.strikes(faults.DUPLICATE, faults.DUPLICATE_RATE, self.name):
            times = 2
        for _ in range(times):
            pause = self.machine.generator.expovariate(1 / _SECONDS)
            now = self.machine.schedule.now
            act = partial(self._try, payload, Event(), now, self._number)
            self.machine.schedule.after(pause, act)

    def redrive(self) -> int:
        """Hand what was given up to the function, as `odyssey redrive` does; return how much."""
        due, self.letters = self.letters, []
        for payload in due:
            events = [self._event(payload)]
            self.machine.history.note(events, self._now, self.name, "brought back")
            outcome = self.machine.invoke(
                self.name, self.handler, payload, events, may_throttle=False
            )
            if outcome.error is not None or self.machine.faults.keeps(self.name):
                self.letters.append(payload)
            self.again()
        return len(due)

    @property
    def _now(self) -> float:
        return self.machine.schedule.elapsed

    def _event(self, payload: dict[str, Any]) -> str:
        return self.event_of(payload["Records"][0]["Sns"]["Message"])

    def _try(self, payload: dict[str, Any], event: Event, since: float, number: int) -> None:
        age = self.machine.schedule.now - since
        if done := async_delivery.before(self.settings, event, age):
            self._give_up(payload, done.condition)
            return
        name = self._event(payload)
        outcome = self.machine.invoke(self.name, self.handler, payload, [name], numbers=[number])
        self.again()
        answer = Answer(outcome.response, outcome.error, outcome.invoked)
        follows = async_delivery.after(self.settings, event, answer, age)
        if isinstance(follows, Again):
            again = partial(self._try, payload, follows.event, since, number)
            self.machine.schedule.after(follows.after, again)
        elif follows.condition != async_delivery.SUCCESS:
            self._give_up(payload, follows.condition)
        else:
            self.machine.history.note([name], self._now, self.name, "done")

    def _give_up(self, payload: dict[str, Any], why: str) -> None:
        event = self._event(payload)
        self.machine.history.note([event], self._now, self.name, f"given up: {why}")
        self.letters.append(payload)
