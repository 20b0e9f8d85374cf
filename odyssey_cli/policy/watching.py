"""Who is told: alarms that look at one thing's metric and act on the app's alarm topic."""

from __future__ import annotations

from dataclasses import dataclass

from odyssey_cli.policy.templates import Properties, Template, as_list, text, whole
from odyssey_cli.templates import referenced

ALARM = "AWS::CloudWatch::Alarm"
QUEUE = "AWS::SQS::Queue"
# "Available CloudWatch metrics for Amazon SQS", 2026-11-21.
DEPTH, AGE = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
QUEUE_NAME = "<{}.QueueName>"
# With any of which an alarm looks at something else: of a metric in another unit there is no value
# ("MetricAlarm", Amazon CloudWatch API Reference, from memory).
_ANOTHER = {"ExtendedStatistic", "Metrics", "ThresholdMetricId", "Unit"}
# Within how many seconds of what it looks at an alarm tells somebody. Our number: three periods of
# the five minutes of which constructs/odyssey_constructs/alarms.py makes every alarm.
SOON = 15 * 60
# AWS's services give one value a minute: of shorter periods most have none ("PutMetricAlarmRequest:
# period", AWS SDK for Kotlin, 2026-11-21).
_MINUTE = 60


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
        grows: by how much it grows in a second in which nobody is told: an age does.
        value: the dimension's value, as `templates.text` writes it, with `{}` for the logical id
            or the name of what the metric is of. Most have what Ref gives; Ref of a queue is its
            address, of which CloudWatch knows nothing.
        passes: whether it shows what happened in one period only, as a count of events does, and
            not what is so until somebody mends it.
    """

    namespace: str
    name: str
    dimension: str
    statistic: str
    most: float
    falls: bool = False
    grows: float = 0
    passes: bool = False
    value: str = "<{}>"


def messages_in(most: int = 1) -> Metric:
    """Return the number of messages that wait in a queue."""
    return Metric("AWS/SQS", DEPTH, "QueueName", "Maximum", most, value=QUEUE_NAME)


def watchers(template: Template, metric: Metric, of: str, **more: str) -> list[str]:
    """Return the alarms on a metric of the resource or name `of` that tell somebody in time.

    Args:
        template: the template.
        metric: the metric.
        of: the logical id or the name.
        more: the values of its other dimensions, by name. With one too many or too few it is
            another metric, which has no values ("Dimensions", Amazon CloudWatch User Guide, from
            memory).
    """
    dimensions = {metric.dimension: metric.value.format(of), **more}
    return [
        at
        for at, alarm in template.of(ALARM).items()
        if (alarm.get("Namespace"), alarm.get("MetricName")) == (metric.namespace, metric.name)
        and alarm.get("Statistic") == metric.statistic
        and not _ANOTHER & set(alarm)
        and _dimensions(alarm) == dimensions
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


def seconds_to_tell(alarm: Properties) -> int | None:
    """Return how long something is wrong until an alarm tells, at most, in seconds.

    The periods in which it is wrong may lie anywhere among those that are looked at: all of these
    count. None stands for an alarm that may never tell: without whole minutes, or of which more
    periods must be wrong than are looked at.
    """
    period, periods = whole(alarm.get("Period")), whole(alarm.get("EvaluationPeriods"))
    if period is None or periods is None or period < _MINUTE or period % _MINUTE:
        return None
    return period * periods if 1 <= _wrong_periods(alarm) <= periods else None


def _wrong_periods(alarm: Properties) -> int:
    """Return in how many periods something must be wrong; without saying so, in all."""
    return whole(alarm.get("DatapointsToAlarm", alarm.get("EvaluationPeriods"))) or 0


def _dimensions(alarm: Properties) -> dict[str, str] | None:
    """Return an alarm's dimensions, by name; none when two have the same."""
    found = as_list(alarm.get("Dimensions"))
    by_name = {text(each.get("Name")): text(each.get("Value")) for each in found}
    return by_name if len(by_name) == len(found) else None


def _in_time(alarm: Properties, metric: Metric) -> bool:
    operator, threshold = alarm.get("ComparisonOperator"), alarm.get("Threshold")
    seconds = seconds_to_tell(alarm)
    if not isinstance(threshold, int | float) or seconds is None or seconds > SOON:
        return False
    if metric.passes and _wrong_periods(alarm) > 1:
        return False
    if metric.falls:
        return operator == "LessThanThreshold" and threshold >= metric.most
    told_at = threshold + metric.grows * seconds
    return (operator == "GreaterThanOrEqualToThreshold" and told_at <= metric.most) or (
        operator == "GreaterThanThreshold" and told_at < metric.most
    )
