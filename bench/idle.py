"""Rows `a month idle`: what stacks cost for being there, from their templates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.figures import Row
from bench.hourly import NAMES, hourly, spelled
from bench.prices import HOURS_A_MONTH, PRICES
from odyssey_constructs.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bench.template import Template

BUDGET = 1.0
# Of a stack that is billed by the hour: what the account's budget mails about by default.
HOURLY_BUDGET = Config().budget_usd
# What a queue's event source mapping polls with when there is little to do, two if it has no
# maximum concurrency ("Configuring scaling behavior for SQS event source mappings", AWS Lambda,
# 2026-11-21, which speaks of batches at a time); that they poll an empty queue with as many, each
# for the longest time there is ("ReceiveMessage", API Reference), is what we take from it.
POLLERS, POLLERS_UNLIMITED, POLL_SECONDS = 5, 2, 20
# Programs of ours that wait on a queue of a stack all the time.
LISTENERS = {"Discovery": 1}
_KINDS = {
    "alarm": "AWS::CloudWatch::Alarm",
    "dashboard": "AWS::CloudWatch::Dashboard",
    "key": "AWS::KMS::Key",
    "secret": "AWS::SecretsManager::Secret",
}
FREE = (
    f"the free tier ({PRICES['alarm'].free:.0f} alarms, {PRICES['dashboard'].free:.0f} dashboards, "
    f"{PRICES['queue'].free:,.0f} requests of queues) is an account's, shared by all that is in it"
)
HOURLY = "what is billed by the hour has no free tier: a new account pays it with its credits"


@dataclass(frozen=True)
class Idle:
    """What is billed of something that nobody uses.

    Attributes:
        name: of the stack.
        counts: of a month, by name of the price.
        polls: the part of the requests of queues that each kind of consumer makes, waiting.
    """

    name: str
    counts: Mapping[str, float]
    polls: Mapping[str, float]

    @property
    def by_the_hour(self) -> bool:
        """Whether something of it is billed by the hour."""
        return any(self.counts.get(name) for name in NAMES)

    def usd(self) -> float:
        """Return USD a month, the free tiers not deducted."""
        return sum(PRICES[name].of(count) for name, count in self.counts.items())

    def usd_beyond_free(self) -> float:
        """Return USD a month in an account that has nothing else."""
        left = max(0.0, PRICES["queue"].free - self.counts.get("queue", 0))
        billed = {**self.counts, "fifo_queue": max(0.0, self.counts.get("fifo_queue", 0) - left)}
        return sum(PRICES[name].beyond_free(count) for name, count in billed.items())

    def __add__(self, other: Idle) -> Idle:
        """Return both in one account."""
        return Idle(
            self.name,
            Counter(self.counts) + Counter(other.counts),
            Counter(self.polls) + Counter(other.polls),
        )


def idle(template: Template, *, listeners: int = 0, up: float = HOURS_A_MONTH) -> Idle:
    """Return what a stack costs for being there.

    On-demand tables, empty buckets, functions, APIs, topics, delivery streams, buses with their
    rules and archives, log groups and standard parameters cost nothing while nobody uses them, and
    custom resources run only while the stack changes; DynamoDB Streams cost nothing either
    ("Evaluate your Streams usage"). Queues cost what polls them. Of a network, gateway endpoints
    ("Gateway endpoints", AWS PrivateLink) and the Instance Connect Endpoint ("Connect to your
    instances using EC2 Instance Connect Endpoint", Amazon EC2 User Guide) cost nothing, nor does a
    budget that only tells ("AWS Budgets pricing"); a flow log costs what flows.

    Args:
        template: the stack's.
        listeners: how many programs of ours wait on its queues.
        up: how many hours of the month its hosts run.
    """
    counts: dict[str, float] = {name: len(template.of_type(kind)) for name, kind in _KINDS.items()}
    standard, fifo = (polls_a_month(sum(_pollers(template, fifo=kind))) for kind in (False, True))
    waiting = polls_a_month(listeners)
    counts |= {"queue": standard + waiting, "fifo_queue": fifo} | hourly(template, up=up)
    polls = {
        "Lambda": standard,
        "Lambda of FIFO queues": fifo,
        "a listener that waits all month": waiting,
    }
    return Idle(template.name, counts, polls)


def polls_a_month(pollers: int) -> float:
    """Return how many long polls of an empty queue so many pollers make in a month."""
    return pollers * HOURS_A_MONTH * 3600 / POLL_SECONDS


def rows(stages: Mapping[str, Iterable[Template]]) -> Iterator[Row]:
    """Return what the stacks of each stage cost, each alone in an account and all together.

    All together are also without those that are billed by the hour: one host costs as much as all
    else.
    """
    for stage, templates in stages.items():
        found = [
            idle(template, listeners=LISTENERS.get(template.name, 0)) for template in templates
        ]
        for each in found:
            budget = HOURLY_BUDGET if each.by_the_hour else BUDGET
            yield _row(each, stage, budget if stage == "dev" else None)
        if hosts := [each.name for each in found if each.by_the_hour]:
            others = [each for each in found if not each.by_the_hour]
            yield _row(_together(f"all stacks but {', '.join(hosts)}", others), stage, None)
        yield _row(_together("all stacks", found), stage, None)


def _together(name: str, stacks: Iterable[Idle]) -> Idle:
    return sum(stacks, Idle(name, {}, {}))


def _pollers(template: Template, *, fifo: bool) -> Iterator[int]:
    queues = {
        name
        for name, queue in template.of_type("AWS::SQS::Queue").items()
        if queue.get("FifoQueue", False) == fifo
    }
    for mapping in template.of_type("AWS::Lambda::EventSourceMapping").values():
        if mapping["EventSourceArn"]["Fn::GetAtt"][0] in queues:
            limited = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
            yield POLLERS if limited else POLLERS_UNLIMITED


def _row(idle: Idle, stage: str, budget: float | None) -> Row:
    there = [
        f"{name}s: {count:.0f}" for name, count in idle.counts.items() if name in _KINDS and count
    ]
    if billed := spelled(idle.counts):
        there.append(billed)
    polled = [f"{count:,.0f} by {who}" for who, count in idle.polls.items() if count]
    if polled:
        there.append(
            f"polls of empty queues, {POLL_SECONDS} s each, of which a million are free: "
            f"{' and '.join(polled)}"
        )
    return Row(
        row=f"a month idle, {idle.name} in {stage}",
        figure=idle.usd_beyond_free(),
        unit="USD",
        budget=budget,
        measured=f"{idle.usd_beyond_free():.2f} USD with the free tier",
        other=f"{idle.usd():.2f} USD without it",
        detail="; ".join(
            [
                ", ".join(there) or "nothing that is billed while idle",
                *([HOURLY] if idle.by_the_hour else []),
                FREE,
            ]
        ),
    )
