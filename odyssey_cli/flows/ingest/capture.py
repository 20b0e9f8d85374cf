"""Keeps the events that pass the bus, by a rule and a queue that are there for as long as that.

A rule and a queue that somebody's end has left behind are removed by the next capture an hour
later: their names tell whose they are and when they were made.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from odyssey_cli.flows.ingest import LONGEST_CAPTURE, STACK
from odyssey_constructs.project import PROJECT
from shared.aws_errors import AWS_ERRORS, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

    from odyssey_cli.target import Target

_PREFIX = "odyssey-capture-"
_NAME = re.compile(rf"{_PREFIX}([0-9]{{10}})-[0-9a-f]{{12}}")
_LEFT_BEHIND = LONGEST_CAPTURE + 600
# The most that ReceiveMessage gives ("ReceiveMessage", API Reference, 2026-11-21), and a wait that
# Ctrl-C can bear.
_BATCH, _POLL = 10, 2
_GONE = (
    "ResourceNotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
)
_TAGS = {"project": PROJECT, "purpose": "capture"}


@dataclass
class Captured:
    """What was captured.

    Attributes:
        events: how many.
        again: how many came another time, which are not kept twice.
        strange: how many were no events with an object as detail.
        removed: names of what earlier captures had left behind.
    """

    events: int = 0
    again: int = 0
    strange: int = 0
    removed: list[str] = field(default_factory=list)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def is_new(self, event: Mapping[str, Any]) -> bool:
        """Say whether an event comes for the first time: EventBridge delivers at least once."""
        name = str(event.get("source")), str(event.get("id"))
        if name in self._seen:
            return False
        self._seen.add(name)
        return True


@dataclass(frozen=True)
class Bus:
    """The bus that is listened to.

    Attributes:
        name: its name.
        account: that its events are of.
        events: a client of EventBridge.
        sqs: a client of SQS.
    """

    name: str
    account: str
    events: Any
    sqs: Any

    @classmethod
    def of(cls, target: Target) -> Bus:
        """Return the intake's bus.

        Raises:
            OdysseyError: the stack is not deployed there.
        """
        name = target.outputs(STACK)["BusName"]
        return cls(name, target.account, target.client("events"), target.client("sqs"))

    def capture(
        self,
        file: TextIO,
        *,
        seconds: float,
        count: int | None = None,
        listening: Callable[[], None] = lambda: None,
        ending: Callable[[], None] = lambda: None,
        tell: Callable[[Captured], None] = lambda _: None,
        captured: Captured | None = None,
    ) -> Captured:
        """Write each event's envelope as a line of JSON, until enough have come or time is over.

        Args:
            file: what to write to.
            seconds: how long to listen.
            count: how many events are enough; None for no such end.
            listening: called when the rule is there.
            ending: called, whatever ends this, before the rule is removed.
            tell: called with what was captured so far.
            captured: where to count; the caller's, so that it is known whatever ends this.
        """
        captured = captured or Captured()
        captured.removed += self.remove_left_behind()
        with self._listening(ending) as queue_url:
            listening()
            until = time.monotonic() + seconds
            while (left := until - time.monotonic()) > 0:
                wait = min(_POLL, math.ceil(left))
                messages = self._receive(queue_url, wait)
                for message in messages:
                    _write(file, message["Body"], captured)
                    if captured.events == count:
                        break
                file.flush()
                self._delete(queue_url, messages)
                tell(captured)
                if captured.events == count:
                    break
        return captured

    def remove_left_behind(self, *, now: float | None = None) -> list[str]:
        """Remove what captures that were killed have left behind; return the names."""
        before = (now or time.time()) - _LEFT_BEHIND
        names = {
            name
            for name in [*self._rules(), *self._queues()]
            if (match := _NAME.fullmatch(name)) and int(match[1]) < before
        }
        for name in sorted(names):
            self._remove(name)
        return sorted(names)

    @contextlib.contextmanager
    def _listening(self, ending: Callable[[], None]) -> Iterator[str]:
        name = f"{_PREFIX}{int(time.time())}-{uuid.uuid4().hex[:12]}"
        try:
            yield self._make(name)
        finally:
            ending()
            self._remove(name)

    def _make(self, name: str) -> str:
        """Make rule and queue; return the queue's URL."""
        queue_url: str = self.sqs.create_queue(
            QueueName=name, Attributes={"MessageRetentionPeriod": str(_LEFT_BEHIND)}, tags=_TAGS
        )["QueueUrl"]
        queue_arn = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        rule_arn = self.events.put_rule(
            Name=name,
            EventBusName=self.name,
            EventPattern=json.dumps({"account": [self.account]}),
            Description="Captures events for a while; odyssey ingest capture removes it.",
            Tags=[{"Key": key, "Value": value} for key, value in _TAGS.items()],
        )["RuleArn"]
        policy = json.dumps(_policy(queue_arn, rule_arn))
        self.sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": policy})
        answer = self.events.put_targets(
            Rule=name, EventBusName=self.name, Targets=[{"Id": "queue", "Arn": queue_arn}]
        )
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"EventBridge refused the target: {answer['FailedEntries']}")
        return queue_url

    def _remove(self, name: str) -> None:
        """Remove rule and queue, as far as they are there and each even if another stays."""
        on = {"EventBusName": self.name}
        failed: list[Exception] = []
        for remove in (
            lambda: self.events.remove_targets(Rule=name, Ids=["queue"], **on),
            lambda: self.events.delete_rule(Name=name, **on),
            lambda: self._delete_queue(name),
        ):
            try:
                remove()
            except AWS_ERRORS as error:
                if error_code(error) not in _GONE:
                    failed.append(error)
        if failed:
            raise failed[0]

    def _delete_queue(self, name: str) -> None:
        self.sqs.delete_queue(QueueUrl=self.sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def _receive(self, queue_url: str, wait: int) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=wait
        ).get("Messages", [])
        return messages

    def _delete(self, queue_url: str, messages: list[dict[str, Any]]) -> None:
        """Delete messages; one that stays comes again, and is known then."""
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        if entries:
            self.sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)

    def _rules(self) -> Iterator[str]:
        request = {"EventBusName": self.name, "NamePrefix": _PREFIX}
        for page in self.events.get_paginator("list_rules").paginate(**request):
            yield from (rule["Name"] for rule in page["Rules"])

    def _queues(self) -> Iterator[str]:
        for page in self.sqs.get_paginator("list_queues").paginate(QueueNamePrefix=_PREFIX):
            yield from (url.rpartition("/")[2] for url in page.get("QueueUrls", []))


def _policy(queue_arn: str, rule_arn: str) -> dict[str, Any]:
    """Return a policy that lets the rule send to the queue, and nobody come without TLS."""
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
    }
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sqs:*",
        "Resource": queue_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [allow, deny]}


def _write(file: TextIO, body: str, captured: Captured) -> None:
    try:
        event = json.loads(body)["detail"]
        is_event = isinstance(event, dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        is_event = False
    if not is_event:
        captured.strange += 1
    elif captured.is_new(event):
        file.write(json.dumps(event, ensure_ascii=False) + "\n")
        captured.events += 1
    else:
        captured.again += 1
