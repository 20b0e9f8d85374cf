"""Where given-up work ends: a queue of which somebody is told, and that nothing consumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_cli.policy.allowed import Giver, granted_to_role, unsendable
from odyssey_cli.policy.rule import Fault
from odyssey_cli.policy.templates import TOPIC, Json, Template, as_list, span, text, whole
from odyssey_cli.policy.watching import QUEUE, SOON, messages_in, told, watchers
from odyssey_cli.templates import referenced

if TYPE_CHECKING:
    from collections.abc import Iterator

MAPPING = "AWS::Lambda::EventSourceMapping"
FUNCTION = "AWS::Lambda::Function"
PERMISSION = "AWS::Lambda::Permission"
# What SQS assumes ("SetQueueAttributes", Amazon SQS API Reference, 2026-11-21).
VISIBILITY, RETENTION = 30, 4 * 24 * 60 * 60


@dataclass(frozen=True)
class End:
    """Where an edge's work goes that is given up.

    Attributes:
        where: for a person.
        told: who is told, for a person.
        faults: what is wrong with it.
    """

    where: str
    told: str
    faults: tuple[Fault, ...]


def consumers(template: Template, queue: str) -> list[str]:
    """Return who takes messages from a queue: mappings, and policies that let somebody."""
    mappings = [
        at
        for at, properties in template.of(MAPPING).items()
        if queue in referenced(properties.get("EventSourceArn"))
    ]
    policies = [
        at
        for at, statement in template.statements
        if statement.get("Effect") == "Allow"
        and {"sqs:ReceiveMessage", "sqs:*"} & set(as_list(statement.get("Action")))
        and queue in referenced(statement.get("Resource"))
    ]
    return mappings + policies


def failure_queues(template: Template) -> list[str]:
    """Return the queues that nothing consumes: people look at them, when an alarm says so."""
    return [queue for queue in template.of(QUEUE) if not consumers(template, queue)]


def end(template: Template, arn: Json, *, at: str, giver: Giver | None) -> End:
    """Return what becomes of given-up work that goes to `arn`.

    Args:
        template: the template.
        arn: where it goes; None for nowhere.
        at: the resource that says so.
        giver: who writes it there; None where no permission is needed.
    """
    queue = template.whose_arn(arn, QUEUE)
    if queue is None:
        problem = "What is given up is gone." if arn is None else "What is given up goes elsewhere."
        return End("nowhere", "nobody", (Fault(at, problem, "Name a queue of this stack."),))
    alarms = watchers(template, messages_in(), queue)
    name = template.label(queue)
    faults = [*_permission(template, queue, giver, at)]
    if consumers(template, queue):
        faults.append(
            Fault(
                queue,
                f"{name} takes what was given up, and something consumes it.",
                "Let given-up work go to a queue that only people look at.",
            )
        )
    if not alarms:
        faults.append(
            Fault(
                queue,
                f"Nobody is told of what is in {name}.",
                "Make an alarm on its depth, from one message on, that tells the alarm topic "
                f"within {span(SOON)}.",
            )
        )
    return End(name, told(template, alarms) or "nobody", tuple(faults))


def redrive(template: Template, queue: str) -> End:
    """Return what becomes of messages that a consumed queue gives up."""
    properties = template.properties(queue)
    policy = properties.get("RedrivePolicy", {})
    # Queues of one account and region need no permission for it ("Using dead-letter queues in
    # Amazon SQS", 2026-11-21).
    found = end(template, policy.get("deadLetterTargetArn"), at=queue, giver=None)
    faults = list(found.faults)
    if whole(policy.get("maxReceiveCount")) is None:
        faults.append(
            Fault(queue, "It hands a message out for ever.", "State RedrivePolicy.maxReceiveCount.")
        )
    dead_letters = template.whose_arn(policy.get("deadLetterTargetArn"), QUEUE)
    if dead_letters is not None:
        faults += _same_kind(template, queue, dead_letters)
        faults += _takes(template, queue, dead_letters)
        if _retention(template, dead_letters) <= _retention(template, queue):
            # A message takes its age along, unless a FIFO queue gives it up (same page).
            faults.append(
                Fault(
                    dead_letters,
                    f"It keeps messages no longer than {template.label(queue)}, from which they "
                    "come with their age.",
                    "Give it a longer MessageRetentionPeriod; 14 days is the most.",
                )
            )
    return End(found.where, found.told, tuple(faults))


def _retention(template: Template, queue: str) -> int:
    return whole(template.properties(queue).get("MessageRetentionPeriod")) or RETENTION


def _same_kind(template: Template, queue: str, dead_letters: str) -> Iterator[Fault]:
    kinds = {
        template.properties(each).get("FifoQueue", False) is True for each in (queue, dead_letters)
    }
    if len(kinds) > 1:
        yield Fault(
            queue,
            "One of it and its dead-letter queue is a FIFO queue.",
            "Make both FIFO queues, or none.",
        )


def _takes(template: Template, queue: str, dead_letters: str) -> Iterator[Fault]:
    # "RedriveAllowPolicy", AWS CDK API Reference, 2026-11-21: who may is all, unless it says which.
    policy = template.properties(dead_letters).get("RedriveAllowPolicy") or {}
    named = map(text, as_list(policy.get("sourceQueueArns")))
    permission = policy.get("redrivePermission", "allowAll")
    if permission != "allowAll" and not (
        permission == "byQueue" and template.arn(queue) in [*named]
    ):
        yield Fault(
            dead_letters,
            f"It does not take what {template.label(queue)} gives up.",
            "Let RedriveAllowPolicy name that queue, or leave it out.",
        )


def _permission(template: Template, queue: str, giver: Giver | None, at: str) -> Iterator[Fault]:
    """Find what keeps `giver` from writing to a queue: what it gives up would be lost silently."""
    if giver is not None:
        for missing in unsendable(template, queue, giver):
            yield Fault(
                at,
                f"{_who(template, giver)} may not write to {template.label(queue)}: what is given "
                "up is lost.",
                f"Allow {missing}.",
            )


def _who(template: Template, giver: Giver) -> str:
    if giver.service:
        return f"{giver.service} on behalf of {template.label(giver.source)}"
    return template.label(giver.role) if giver.role else "A role that is elsewhere"


def unreachable(template: Template, to: str, giver: Giver, at: str) -> Iterator[Fault]:
    """Find what keeps a giver from handing something to a function, queue or topic.

    Args:
        template: the template.
        to: the function's, queue's or topic's logical id; "" for what is elsewhere.
        giver: who hands it over.
        at: the resource that says so.
    """
    if template.type(to) in (QUEUE, TOPIC):
        missing = list(unsendable(template, to, giver))
    elif template.type(to) == FUNCTION:
        missing = [] if _may_invoke(template, to, giver) else ["lambda:InvokeFunction"]
    else:
        yield Fault(
            at,
            f"{_who(template, giver)} hands something to what is elsewhere, or of a kind that "
            "nobody knows.",
            "Hand it to a function, queue or topic of this stack.",
        )
        return
    for each in missing:
        yield Fault(
            at,
            f"{_who(template, giver)} may not hand anything to {template.label(to)}.",
            f"Allow {each}.",
        )


def _may_invoke(template: Template, function: str, giver: Giver) -> bool:
    if not giver.service:
        own = template.allowed(giver.role) if giver.role else ()
        return granted_to_role(template, own, {"lambda:InvokeFunction"}, function)
    return any(
        function in referenced(permission.get("FunctionName"))
        and permission.get("Principal") == giver.service
        and permission.get("Action") == "lambda:InvokeFunction"
        and text(permission.get("SourceArn")) == template.arn(giver.source)
        for permission in template.of(PERMISSION).values()
    )
