"""Sends made-up events, and says truthfully what became of each of them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from odyssey_cli.flows.ingest import STACK
from odyssey_cli.flows.ingest.events import make
from odyssey_cli.flows.ingest.senders import ToQueue, ToStream
from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from odyssey_cli.flows.ingest.events import Event
    from odyssey_cli.flows.ingest.senders import Sender
    from odyssey_cli.target import Target

FIREHOSE: Final = "firehose"
SQS: Final = "sqs"
Via = Literal["firehose", "sqs"]
# So that Ctrl-C is heard.
_NAP = 0.1


@dataclass
class Stop:
    """Asks for the end, which comes when the call in hand is done."""

    requested: bool = False

    def request(self) -> None:
        """Ask; meant for a signal handler.

        Raises:
            KeyboardInterrupt: it has been asked before, and the call takes too long.
        """
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def sleep(self, seconds: float) -> None:
        """Sleep, but not on when somebody asks for the end."""
        until = time.monotonic() + seconds
        while not self.requested and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _NAP))


@dataclass
class Report:
    """What became of the events of a run.

    Attributes:
        wanted: how many were asked for.
        made: how many were made and sent.
        accepted: how many the stream or the queue took.
        retried: how many had to be sent again, each time counted.
        refused: how many were not taken at last, by error.
        unknown: how many may have been taken, by what kept the answer away.
        seconds: from the first to now.
        interrupted: whether somebody asked for the end before all were sent.
        gave_up: whether the end came early because nothing was taken any more.
    """

    wanted: int
    made: int = 0
    accepted: int = 0
    retried: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    interrupted: bool = False
    gave_up: bool = False

    @property
    def rate(self) -> float:
        """Accepted events per second."""
        return self.accepted / self.seconds if self.seconds else 0.0

    @property
    def is_complete(self) -> bool:
        """Whether all events that were asked for were taken."""
        return self.accepted == self.wanted

    @property
    def is_accounted_for(self) -> bool:
        """Whether all events that were made were taken, and none is missing without being asked."""
        return self.accepted == self.made and (self.interrupted or self.is_complete)


def sender(target: Target, via: Via, *, stop: Stop | None = None) -> Sender:
    """Return a way in, in the role that the stack has for producers.

    Args:
        target: where the stack is deployed.
        via: `firehose` or `sqs`.
        stop: cuts short the pauses before something is sent again.

    Raises:
        OdysseyError: the stack is not deployed there.
    """
    from botocore.config import Config  # noqa: PLC0415 - see odyssey_cli.target

    outputs = target.outputs(STACK)
    producer = target.in_role(outputs["ProducerRoleArn"])
    # Every try is ours, so that the report can tell of it.
    config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})
    tries = partial(backoff, longest=5.0, sleep=(stop or Stop()).sleep)
    if via == FIREHOSE:
        client = producer.client("firehose", config=config)
        return ToStream(outputs["DeliveryStreamName"], client, tries)
    return ToQueue(outputs["EventsQueueUrl"], producer.client("sqs", config=config), tries)


def generate(
    target: Target,
    *,
    via: Via,
    count: int,
    type: str,
    seed: int,
    rate: float | None = None,
    stop: Stop | None = None,
    tell: Callable[[Report], None] = lambda _: None,
    taken: Callable[[Sequence[Event]], None] = lambda _: None,
) -> Report:
    """Make events and send them; see `send`, which it does in the producer's role.

    Args:
        target: where the stack is deployed.
        via: `firehose` or `sqs`.
        count: how many.
        type: one of the consumer's types, or `mix`.
        seed: what decides what they tell.
        rate: how many in a second at most; None for as many as are taken.
        stop: asks for the end.
        tell: called with the report so far, after each call.
        taken: called with the events that a call has brought in.

    Raises:
        OdysseyError: the stack is not deployed there.
    """
    stop = stop or Stop()
    return send(
        make(type, count, seed=seed),
        by=sender(target, via, stop=stop),
        wanted=count,
        rate=rate,
        stop=stop,
        tell=tell,
        taken=taken,
    )


def send(
    events: Iterable[Event],
    *,
    by: Sender,
    wanted: int,
    rate: float | None = None,
    stop: Stop | None = None,
    tell: Callable[[Report], None] = lambda _: None,
    taken: Callable[[Sequence[Event]], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Send events in their order, in full batches, or a second's worth of them at a time.

    It ends early when somebody asks for it, or when nothing of a whole batch is taken although it
    was tried for long enough.

    Args:
        events: what to send.
        by: the way in.
        wanted: how many there are.
        rate: how many in a second at most; None for as many as are taken.
        stop: asks for the end.
        tell: called with the report so far.
        taken: called with the events that a call has brought in.
        clock: for the pace.
    """
    stop = stop or Stop()
    report = Report(wanted)
    size = by.most if rate is None else max(1, min(by.most, int(rate)))
    remaining = iter(events)
    begun = clock()
    batch: list[Event] = []
    try:
        while report.made < wanted and not stop.requested and not report.gave_up:
            if rate is not None:
                stop.sleep(report.made / rate - (clock() - begun))
            batch = [] if stop.requested else list(islice(remaining, size))
            if not batch:
                break
            report.made += len(batch)
            accepted = _settle(report, batch, by)
            batch = []
            report.seconds = clock() - begun
            taken(accepted)
            tell(report)
    except KeyboardInterrupt:
        # Somebody did not want to wait for the call in hand.
        report.unknown["Interrupted"] += len(batch)
        stop.requested = True
    report.seconds = clock() - begun
    report.interrupted = stop.requested and report.made < wanted
    return report


def _settle(report: Report, batch: list[Event], by: Sender) -> list[Event]:
    """Send a batch, and return what was taken."""
    sent = by.send(batch)
    report.retried += sent.retried
    report.refused.update(sent.refused.values())
    report.unknown.update(sent.unknown.values())
    accepted = [
        event
        for number, event in enumerate(batch)
        if number not in sent.refused and number not in sent.unknown
    ]
    report.accepted += len(accepted)
    report.gave_up = not accepted
    return accepted
