"""Rules on telling somebody: what must have an alarm, and what an alarm must do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_cli.policy.allowed import Giver, unsendable
from odyssey_cli.policy.edges_of_firehose import BEHIND, FAILED, STREAM
from odyssey_cli.policy.edges_of_lambda import stream_seconds
from odyssey_cli.policy.ends import (
    FUNCTION,
    MAPPING,
    RETENTION,
    consumers,
    failure_queues,
)
from odyssey_cli.policy.rule import Fault
from odyssey_cli.policy.templates import TOPIC, span, text, whole
from odyssey_cli.policy.watching import (
    AGE,
    ALARM,
    QUEUE,
    QUEUE_NAME,
    SOON,
    Metric,
    messages_in,
    seconds_to_tell,
    tells,
    watchers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.policy.templates import Template

# Half of the time until something is lost is left to do something about it.
_SHARE = 2
# "Amazon SQS message quotas", 2026-11-21.
_LONGEST = 14 * 24 * 60 * 60


def failure_queues_watched(template: Template) -> Iterator[Fault]:
    """Every dead-letter and rejects queue has an alarm from one message on."""
    for queue in failure_queues(template):
        if not watchers(template, messages_in(), queue):
            yield Fault(
                queue,
                "Nobody is told of what waits in this queue, which nothing consumes.",
                "Make an alarm on its depth, from one message on, that tells the alarm topic "
                f"within {span(SOON)}.",
            )


def failure_queues_kept(template: Template) -> Iterator[Fault]:
    """Every dead-letter and rejects queue keeps what it has as long as a queue can."""
    for queue in failure_queues(template):
        kept = whole(template.properties(queue).get("MessageRetentionPeriod")) or RETENTION
        if kept < _LONGEST:
            yield Fault(
                queue,
                f"What nobody has looked at is gone after {span(kept)}.",
                f"Let MessageRetentionPeriod be {_LONGEST}: {span(_LONGEST)}.",
            )


def sources_watched(template: Template) -> Iterator[Fault]:
    """Whatever is consumed has an alarm on the age of the oldest it has to give."""
    for queue, properties in template.of(QUEUE).items():
        kept = whole(properties.get("MessageRetentionPeriod")) or RETENTION
        metric = Metric(
            *("AWS/SQS", AGE, "QueueName", "Maximum"),
            most=kept / _SHARE,
            grows=1,
            value=QUEUE_NAME,
        )
        if consumers(template, queue) and not watchers(template, metric, queue):
            yield _behind(queue, metric.name, span(kept // _SHARE))
    for at, mapping in template.of(MAPPING).items():
        source = template.resource(mapping.get("EventSourceArn"))
        if template.type(source) == QUEUE:
            continue
        kept = stream_seconds(template, source)
        # In milliseconds ("Types of metrics for Lambda functions", 2026-11-21).
        metric = Metric(
            *("AWS/Lambda", "IteratorAge", "FunctionName", "Maximum"),
            most=1000 * kept / _SHARE,
            grows=1000,
        )
        function = template.resource(mapping.get("FunctionName"), FUNCTION)
        if not function or not watchers(template, metric, function):
            yield _behind(at, metric.name, span(kept // _SHARE))
    for stream in template.of(STREAM):
        if not watchers(template, BEHIND, stream):
            yield _behind(stream, BEHIND.name, span(int(BEHIND.most)))


def _behind(at: str, metric: str, most: str) -> Fault:
    return Fault(
        at,
        "Nobody is told when its consumer is down or too slow, until what waits is lost.",
        f"Make an alarm on {metric} that tells the alarm topic when it is {most} at most: its "
        f"threshold, and then its periods, {span(SOON)} at most.",
    )


def failures_watched(template: Template) -> Iterator[Fault]:
    """Functions have alarms on throttles, APIs on server errors, hosts on status checks."""
    throttles = Metric("AWS/Lambda", "Throttles", "FunctionName", "Sum", 1, passes=True)
    # Who deletes or deploys a stack waits for the helpers of its resources, and is told.
    for function in template.of(FUNCTION):
        if function not in template.helpers and not watchers(template, throttles, function):
            yield Fault(
                function,
                "Nobody is told when the function is throttled.",
                "Make an alarm on Throttles, from 1 on, that acts on the alarm topic.",
            )
    # "Amazon API Gateway dimensions and metrics" and "Monitor CloudWatch metrics for HTTP APIs",
    # 2026-11-21.
    rest = Metric("AWS/ApiGateway", "5XXError", "ApiName", "Sum", 1, passes=True, value="{}")
    http = Metric("AWS/ApiGateway", "5xx", "ApiId", "Sum", 1, passes=True)
    for metric, apis in (
        (rest, {at: text(each.get("Name")) for at, each in template.of(_REST).items()}),
        (http, {at: at for at in template.of(_HTTP)}),
    ):
        for api, name in apis.items():
            if not watchers(template, metric, name):
                yield Fault(
                    api,
                    "Nobody is told when the API answers with a 5xx.",
                    f"Make an alarm on {metric.name}, from 1 on, that acts on the alarm topic.",
                )
    for stream in template.of(STREAM):
        if not watchers(template, FAILED, stream):
            yield Fault(
                stream,
                "Nobody is told when the function fails on whole batches.",
                f"Make an alarm on {FAILED.name}, below 1, that acts on the alarm topic.",
            )
    # "Status checks for your instances", Amazon EC2 User Guide, 2026-11-21.
    impaired = Metric("AWS/EC2", "StatusCheckFailed", "InstanceId", "Maximum", 1)
    for host in template.of("AWS::EC2::Instance"):
        if not watchers(template, impaired, host):
            yield Fault(
                host,
                "Nobody is told when the host cannot be reached.",
                f"Make an alarm on {impaired.name}, from 1 on, that acts on the alarm topic.",
            )


_REST, _HTTP = "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"


def alarms_tell(template: Template) -> Iterator[Fault]:
    """Every alarm acts on the app's alarm topic soon, and says in a sentence what is wrong."""
    publisher = Giver(service="cloudwatch.amazonaws.com")
    for topic in template.alarm_topics & set(template.of(TOPIC)):
        for each in unsendable(template, topic, publisher):
            yield Fault(topic, "CloudWatch may not publish alarms.", f"Allow {each}.")
    for at, alarm in template.of(ALARM).items():
        if not tells(template, alarm):
            yield Fault(
                at,
                "The alarm tells nobody.",
                "Let AlarmActions be the alarm topic, and do not turn actions off.",
            )
        seconds = seconds_to_tell(alarm)
        if seconds is None or seconds > SOON:
            yield Fault(
                at,
                "The alarm may never tell."
                if seconds is None
                else f"The alarm may take {span(seconds)} to tell.",
                "State Period in whole minutes, EvaluationPeriods, and no more DatapointsToAlarm: "
                f"{span(SOON)} in all, at most.",
            )
        if not str(alarm.get("AlarmDescription", "")).endswith("."):
            yield Fault(
                at,
                "Who gets the alarm is not told what is wrong.",
                "Say it in AlarmDescription, in a sentence.",
            )
        if alarm.get("TreatMissingData") != "notBreaching":
            yield Fault(
                at,
                "The alarm has no state, or a wrong one, while nothing happens.",
                "Let TreatMissingData be notBreaching.",
            )
