"""A bus for events between systems, its archive, and rules that deliver events to queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsii
from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events

from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk.interfaces.aws_events import IRuleRef

    from odyssey_constructs.function import PythonFunction
    from odyssey_constructs.queue import WorkQueue

# The longest and most that EventBridge tries ("RetryPolicy", Amazon EventBridge API Reference,
# 2026-11-21).
_MAX_AGE, _MAX_RETRIES = Duration.hours(24), 185


@jsii.implements(events.IRuleTarget)
class _Queue:
    """A queue as target; CDK's own also lets EventBridge do to it what EventBridge never does."""

    def __init__(self, queue: WorkQueue, attempts: events.CfnRule.RetryPolicyProperty) -> None:
        self._queue = queue
        self._attempts = attempts

    def bind(self, _rule: IRuleRef, _id: str | None = None) -> events.RuleTargetConfig:
        return events.RuleTargetConfig(
            arn=self._queue.queue.queue_arn,
            dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                arn=self._queue.dead_letters.queue.queue_arn
            ),
            retry_policy=self._attempts,
        )


class Bus(Construct):
    """A bus, and an archive of all events that pass it.

    Bus and archive are encrypted with a key that AWS owns. Only principals of the account whose
    own policies say so may put events.

    Args:
        scope: the parent.
        id: the name within the parent.
        keep: how long the archive keeps events; 7 days by default.

    Attributes:
        name: the bus's; made of the stack's name, because others have to know it.
    """

    def __init__(self, scope: Construct, id: str, *, keep: Duration | None = None) -> None:
        super().__init__(scope, id)
        self.name = f"{Stack.of(self).stack_name}-events"
        self.bus = events.EventBus(self, "Bus", event_bus_name=self.name)
        archive = events.CfnArchive(
            self,
            "Archive",
            source_arn=self.bus.event_bus_arn,
            description=f"All events of {self.name}, to be replayed",
            retention_days=(keep or Duration.days(7)).to_days(),
        )
        self.archive_arn = archive.attr_arn

    def allow_put(self, who: PythonFunction) -> None:
        """Let `who` put events on the bus."""
        who.allow("events:PutEvents", on=self.bus.event_bus_arn)


def deliver(
    scope: Construct,
    id: str,
    *,
    bus_name: str,
    types: Sequence[str],
    to: WorkQueue,
    max_age: Duration | None = None,
    retry_attempts: int = _MAX_RETRIES,
) -> events.Rule:
    """Deliver CloudEvents of some types to a queue, those that fail to its dead-letter queue.

    Args:
        scope: the parent.
        id: the name within the parent.
        bus_name: of a bus in this account and region.
        types: values of `detail-type`.
        to: the queue.
        max_age: how long EventBridge tries to deliver an event; 24 hours by default, the longest.
        retry_attempts: how often; 185 by default, the most.
    """
    bus = events.EventBus.from_event_bus_name(scope, f"{id}Bus", bus_name)
    rule = events.Rule(
        scope,
        id,
        event_bus=bus,
        # Others may put events of a type of that name on a bus that is not only ours.
        event_pattern=events.EventPattern(detail_type=list(types), detail={"specversion": ["1.0"]}),
    )
    attempts = events.CfnRule.RetryPolicyProperty(
        maximum_event_age_in_seconds=(max_age or _MAX_AGE).to_seconds(),
        maximum_retry_attempts=retry_attempts,
    )
    rule.add_target(_Queue(to, attempts))
    for queue in (to, to.dead_letters):
        queue.allow_service("events.amazonaws.com", of=rule.rule_arn)
    return rule
