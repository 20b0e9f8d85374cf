"""Asynchronous edges that topics, buses, buckets, schedules and programs make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_cli.policy.allowed import Giver
from odyssey_cli.policy.edge import Edge
from odyssey_cli.policy.edges_of_lambda import attempts
from odyssey_cli.policy.ends import (
    FUNCTION,
    MAPPING,
    RETENTION,
    consumers,
    end,
    redrive,
    unreachable,
)
from odyssey_cli.policy.rule import Fault
from odyssey_cli.policy.templates import (
    TOPIC,
    Json,
    Properties,
    Template,
    as_list,
    span,
    text,
    whole,
)
from odyssey_cli.policy.watching import QUEUE, Metric, told, watchers
from odyssey_cli.templates import referenced

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "AWS::S3::Bucket"
RULE = "AWS::Events::Rule"
# To endpoints of AWS ("Amazon SNS message delivery retries", 2026-11-21).
_SNS_TRIES, _SNS_AGE = "100,015", "23 days"
_TO_PEOPLE = {"email", "email-json", "sms"}
_NOTIFIED = {
    "LambdaConfigurations": "Function",
    "QueueConfigurations": "Queue",
    "TopicConfigurations": "Topic",
    # As the CDK's own custom resource spells them.
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}
_ARCHIVE_DAYS = 7


def programs(template: Template) -> Iterator[Edge]:
    """Find the queues that programs outside of Lambda consume."""
    for queue in template.of(QUEUE):
        takers = consumers(template, queue)
        mapped = {*_policies_of_mapped(template, takers)}
        for taker in dict.fromkeys(takers):
            if taker in mapped:
                # An edge of its own, or the policy that it needs.
                continue
            given_up = redrive(template, queue)
            properties = template.properties(queue)
            receives = whole(properties.get("RedrivePolicy", {}).get("maxReceiveCount"))
            faults = list(given_up.faults)
            if whole(properties.get("VisibilityTimeout")) is None:
                faults.append(
                    Fault(
                        queue,
                        "It does not say how long a program may take for a message.",
                        "State VisibilityTimeout.",
                    )
                )
            yield Edge(
                taker,
                template.label(queue),
                template.label(taker).removesuffix(" Policy"),
                "queue to program",
                tries=f"{receives} receives" if receives else "for ever",
                age=span(whole(properties.get("MessageRetentionPeriod")) or RETENTION),
                given_up=given_up.where,
                told=given_up.told,
                faults=tuple(faults),
            )


def _policies_of_mapped(template: Template, takers: list[str]) -> Iterator[str]:
    """Yield mappings, and the roles and policies of the functions that they lead to."""
    roles = set()
    for taker in takers:
        if template.type(taker) == MAPPING:
            yield taker
            function = template.resource(template.properties(taker).get("FunctionName"), FUNCTION)
            roles |= {*referenced(template.properties(function).get("Role"))}
    yield from roles
    for at, properties in template.of("AWS::IAM::Policy").items():
        if roles & {*referenced(properties.get("Roles"))}:
            yield at


def subscriptions(template: Template) -> Iterator[Edge]:
    """Find who gets a topic's messages."""
    for at, subscription in template.of("AWS::SNS::Subscription").items():
        topic = template.resource(subscription.get("TopicArn"), TOPIC) or ""
        source = template.label(topic) if topic else text(subscription.get("TopicArn"))
        protocol = subscription.get("Protocol")
        if protocol in _TO_PEOPLE and topic in template.alarm_topics:
            yield Edge(
                at,
                source,
                text(subscription.get("Endpoint")),
                f"topic to {protocol}",
                tries="SNS's own",
                age="SNS's own",
                given_up="nowhere",
                told="nobody",
                accepted="Nobody is left to tell of an alarm's message that could not be sent; the "
                "alarm's state stays on the dashboard.",
            )
            continue
        yield _subscription(template, at, subscription, topic, source)
    for at, topic_properties in template.of(TOPIC).items():
        if topic_properties.get("Subscription"):
            fault = Fault(
                at,
                "A subscription inside a topic has no redrive policy.",
                "Make an AWS::SNS::Subscription of it.",
            )
            yield _unknown(template, at, "topic to subscriber", fault)


def _subscription(
    template: Template, at: str, subscription: Properties, topic: str, source: str
) -> Edge:
    arn = subscription.get("RedrivePolicy", {}).get("deadLetterTargetArn")
    giver = Giver(service="sns.amazonaws.com", source=topic)
    given_up = end(template, arn, at=at, giver=giver)
    target = template.whose_arn(subscription.get("Endpoint")) or ""
    faults = [*given_up.faults]
    if subscription.get("Protocol") not in _TO_PEOPLE:
        faults += unreachable(template, target, giver, at)
    tries, age = _SNS_TRIES, _SNS_AGE
    if template.type(target) == FUNCTION:
        # SNS hands a message to Lambda, which then has tries of its own.
        more, longer, last = attempts(template, target or None, at)
        faults += [each for each in last.faults if each not in faults]
        tries, age = f"{tries}, then {more}", f"{age}, then {longer}"
    return Edge(
        at,
        source,
        template.label(target) if target else text(subscription.get("Endpoint")),
        f"topic to {_what(template, target)}",
        tries=tries,
        age=age,
        given_up=given_up.where,
        told=given_up.told,
        faults=tuple(faults),
        ends=target,
    )


def rules(template: Template) -> Iterator[Edge]:
    """Find what rules of buses deliver, and schedules."""
    for at, rule in template.of(RULE).items():
        bus = rule.get("EventBusName", "default")
        source = template.resource(bus)
        name = template.label(source) if source else f"bus {text(bus)}"
        for target in rule.get("Targets", []):
            yield _delivery(template, at, name, target, "rule to", "events.amazonaws.com", rule)
    for at, schedule in template.of("AWS::Scheduler::Schedule").items():
        target = schedule.get("Target", {})
        # A schedule's role sends to the queue, not the service itself.
        giver = Giver(role=template.resource(target.get("RoleArn"), "AWS::IAM::Role"))
        yield _delivery(template, at, template.label(at), target, "schedule to", giver, schedule)


def _delivery(
    template: Template,
    at: str,
    source: str,
    target: Properties,
    kind: str,
    by: str | Giver,
    maker: Properties,
) -> Edge:
    giver = Giver(service=by, source=at) if isinstance(by, str) else by
    arn = target.get("DeadLetterConfig", {}).get("Arn")
    given_up = end(template, arn, at=at, giver=giver)
    to = template.whose_arn(target.get("Arn")) or ""
    faults = [*given_up.faults, *unreachable(template, to, giver, at)]
    if maker.get("State", "ENABLED") != "ENABLED":
        faults.append(Fault(at, "It is off, and hands nothing over.", "Let State be ENABLED."))
    policy = target.get("RetryPolicy", {})
    # The most is 185 tries in 24 hours, and what is left out is the most ("RetryPolicy", Amazon
    # EventBridge API Reference, 2026-11-21): the contracts want it stated all the same.
    tries, age = (
        whole(policy.get(name)) for name in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
    )
    for name, value in (("MaximumRetryAttempts", tries), ("MaximumEventAgeInSeconds", age)):
        if value is None:
            faults.append(Fault(at, f"A target does not say its {name}.", f"State {name}."))
    tried = f"1 + {185 if tries is None else tries}"
    aged = span(age or 24 * 60 * 60)
    if template.type(to) == FUNCTION:
        more, longer, last = attempts(template, to, at)
        faults += [each for each in last.faults if each not in faults]
        tried, aged = f"{tried}, then {more}", f"{aged}, then {longer}"
    return Edge(
        at,
        source,
        template.label(to) if to else text(target.get("Arn")),
        f"{kind} {_what(template, to)}",
        tries=tried,
        age=aged,
        given_up=given_up.where,
        told=given_up.told,
        faults=tuple(faults),
        ends=to,
    )


def _what(template: Template, at: str) -> str:
    return {FUNCTION: "function", QUEUE: "queue", TOPIC: "topic"}.get(template.type(at), "target")


def archives(template: Template) -> Iterator[Edge]:
    """Find what keeps a bus's events for a replay."""
    for at, archive in template.of("AWS::Events::Archive").items():
        days = whole(archive.get("RetentionDays")) or 0
        faults = []
        if not 0 < days <= _ARCHIVE_DAYS:
            # 0, which is what is left out, is for ever ("Archive", Amazon EventBridge API
            # Reference, 2026-11-21).
            faults.append(
                Fault(
                    at,
                    "A replay may bring events back that no marker remembers.",
                    f"Let RetentionDays be {_ARCHIVE_DAYS} or less.",
                )
            )
        source = template.resource(archive.get("SourceArn"))
        yield Edge(
            at,
            template.label(source) if source else text(archive.get("SourceArn")),
            template.label(at),
            "bus to archive",
            tries="EventBridge's own",
            age=f"kept {days} days" if days else "kept for ever",
            given_up="nothing",
            told=_NOBODY_NEEDS,
            faults=tuple(faults),
            ends=at,
        )


_NOBODY_NEEDS = "nobody needs to be"


def notifications(template: Template) -> Iterator[Edge]:
    """Find what buckets tell: functions, queues and topics."""
    owners = {
        **{
            at: (at, properties.get("NotificationConfiguration"))
            for at, properties in template.of(BUCKET).items()
        },
        **{
            at: (template.resource(properties.get("BucketName"), BUCKET) or at, config)
            for at, properties in template.of("Custom::S3BucketNotifications").items()
            if (config := properties.get("NotificationConfiguration"))
        },
    }
    for at, (bucket, config) in owners.items():
        for kind, name in _NOTIFIED.items():
            for each in as_list((config or {}).get(kind)):
                arn = each.get(name) or each.get(f"{name}Arn")
                yield _notification(template, at, bucket, arn)


def _notification(template: Template, at: str, bucket: str, arn: Json) -> Edge:
    to = template.whose_arn(arn) or ""
    tries, age, where, who = "S3's own", "S3's own", "nothing", _NOBODY_NEEDS
    giver = Giver(service="s3.amazonaws.com", source=bucket)
    faults = tuple(unreachable(template, to, giver, at))
    if template.type(to) == FUNCTION:
        tries, age, last = attempts(template, to, at)
        where, who, faults = last.where, last.told, (*faults, *last.faults)
    return Edge(
        at,
        template.label(bucket),
        template.label(to) if to else text(arn),
        f"bucket to {_what(template, to)}",
        tries=tries,
        age=age,
        given_up=where,
        told=who,
        faults=faults,
        ends=to,
    )


def replications(template: Template) -> Iterator[Edge]:
    """Find buckets whose objects S3 copies to another one."""
    for at, bucket in template.of(BUCKET).items():
        for rule in bucket.get("ReplicationConfiguration", {}).get("Rules", []):
            destination = rule.get("Destination", {})
            # "Using S3 Replication metrics", Amazon S3 User Guide, 2026-11-21; that it is counted
            # by all three is from memory.
            failed = Metric(
                "AWS/S3", "OperationsFailedReplication", "SourceBucket", "Sum", 1, passes=True
            )
            copies = text(destination.get("Bucket")).rpartition(":")[2]
            alarms = watchers(
                template, failed, at, DestinationBucket=copies, RuleId=text(rule.get("Id"))
            )
            measured = destination.get("Metrics", {}).get("Status") == "Enabled"
            yield Edge(
                at,
                template.label(at),
                text(destination.get("Bucket")),
                "bucket to bucket",
                tries="S3's own",
                age="S3's own",
                given_up="nowhere: the original stays",
                told=told(template, alarms) if measured and alarms else "nobody",
                accepted=""
                if measured and alarms
                else "Ingest's page says that nobody is told of a copy that fails; S3's metrics "
                "would, at a price.",
            )


def _unknown(template: Template, at: str, kind: str, fault: Fault) -> Edge:
    return Edge(
        at,
        template.label(at),
        "?",
        kind,
        tries="?",
        age="?",
        given_up="?",
        told="nobody",
        faults=(fault,),
    )
