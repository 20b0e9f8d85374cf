"""Who is told: alarms that look at one thing's metric and act on the app's alarm topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_cli.policy.templates import Properties, Template, as_list, text
from odyssey_cli.templates import referenced

if TYPE_CHECKING:
    from collections.abc import Iterator

ALARM = "AWS::CloudWatch::Alarm"
QUEUE = "AWS::SQS::Queue"
# "Available CloudWatch metrics for Amazon SQS", 2026-11-21.
DEPTH, AGE = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"


@dataclass(frozen=True)
class Metric:
    """A metric of one resource.

    Attributes:
        namespace: of the service.
        name: the metric's.
        dimension: which says whose it is.
        statistic: with which one of many is not overlooked.
        most: the value at which somebody must know at the latest; for a metric that must not fall
            short of it, the least.
        falls: whether too little is what is wrong.
    """

    namespace: str
    name: str
    dimension: str
    statistic: str
    most: float
    falls: bool = False


def messages_in(most: int = 1) -> Metric:
    """Return the number of messages that wait in a queue."""
    return Metric("AWS/SQS", DEPTH, "QueueName", "Maximum", most)


def watchers(template: Template, metric: Metric, of: str) -> list[str]:
    """Return the alarms on a metric of the resource or name `of` that tell somebody in time."""
    return [
        at
        for at, alarm in template.of(ALARM).items()
        if (alarm.get("Namespace"), alarm.get("MetricName")) == (metric.namespace, metric.name)
        and alarm.get("Statistic") == metric.statistic
        and of in _dimension(alarm, metric.dimension)
        and _in_time(alarm, metric)
        and tells(template, alarm)
    ]


def tells(template: Template, alarm: Properties) -> bool:
    """Say whether an alarm acts on the app's alarm topic."""
    topics = {each for action in as_list(alarm.get("AlarmActions")) for each in referenced(action)}
    return alarm.get("ActionsEnabled", True) is True and bool(topics & template.alarm_topics)


def told(template: Template, alarms: list[str]) -> str:
    """Return the names of alarms, for a person."""
    return ", ".join(f"alarm {template.label(each)}" for each in alarms)


def _dimension(alarm: Properties, name: str) -> Iterator[str]:
    for each in as_list(alarm.get("Dimensions")):
        if each.get("Name") == name:
            yield from referenced(each.get("Value"))
            yield text(each.get("Value"))


def _in_time(alarm: Properties, metric: Metric) -> bool:
    operator, threshold = alarm.get("ComparisonOperator"), alarm.get("Threshold")
    if not isinstance(threshold, int | float):
        return False
    if metric.falls:
        return operator == "LessThanThreshold" and threshold >= metric.most
    return (operator == "GreaterThanOrEqualToThreshold" and threshold <= metric.most) or (
        operator == "GreaterThanThreshold" and threshold < metric.most
    )
