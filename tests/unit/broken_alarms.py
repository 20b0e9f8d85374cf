"""Ways to break the rules on telling somebody: alarms that are missing, too late, or mute."""

from __future__ import annotations

from tests.unit.broken_templates import Broken, P, resource
from tests.unit.small_templates import arn, ref

_UNREAD = {"Name": "QueueName", "Value": arn("Unread", "QueueName")}

BROKEN_ALARMS = [
    Broken("failure-queues-watched", "no alarm", ("UnreadWaiting",), at="Unread"),
    Broken(
        "failure-queues-watched",
        "an alarm from the second message on",
        ("UnreadWaiting", P, "Threshold"),
        2,
        at="Unread",
    ),
    Broken(
        "failure-queues-watched",
        "an alarm on the least of five minutes",
        ("UnreadWaiting", P, "Statistic"),
        "Minimum",
        at="Unread",
    ),
    Broken(
        "failure-queues-watched",
        "an alarm below one message",
        ("UnreadWaiting", P, "ComparisonOperator"),
        "LessThanThreshold",
        at="Unread",
    ),
    Broken(
        "failure-queues-watched",
        "a queue that nobody consumes any more",
        ("Printer", P, "Policies"),
        [],
        at="Letters",
    ),
    Broken(
        "failure-queues-watched",
        "an alarm that takes a day",
        ("UnreadWaiting", P, "Period"),
        86400,
        at="Unread",
    ),
    Broken(
        "failure-queues-watched",
        "an alarm after four periods",
        ("UnreadWaiting", P, "EvaluationPeriods"),
        4,
        at="Unread",
    ),
    Broken(
        "failure-queues-watched",
        "an alarm that needs more periods than it looks at",
        ("UnreadWaiting", P, "DatapointsToAlarm"),
        2,
        at="Unread",
    ),
    *(
        Broken("failure-queues-watched", why, ("UnreadWaiting", P, *path), put, at="Unread")
        for why, path, put in [
            ("a queue's address for its name", ("Dimensions", 0, "Value"), ref("Unread")),
            ("a queue's ARN for its name", ("Dimensions", 0, "Value"), arn("Unread")),
            ("one dimension too many", ("Dimensions", "+"), {"Name": "Stage", "Value": "dev"}),
            ("the same dimension twice", ("Dimensions", "+"), _UNREAD),
            ("no dimension", ("Dimensions",), []),
            ("messages in bytes", ("Unit",), "Bytes"),
            ("a percentile, too", ("ExtendedStatistic",), "p10"),
            ("a sum of metrics", ("Metrics",), [{"Id": "a", "Expression": "0"}]),
        ]
    ),
    *(
        Broken(
            rule,
            f"{alarm}: a name of another kind",
            (alarm, P, "Dimensions", 0, "Value"),
            put,
            at=of,
        )
        for rule, alarm, put, of in [
            ("sources-watched", "ParcelsBehind", ref("Parcels"), "Parcels"),
            ("sources-watched", "BillerBehind", arn("Biller"), "Billing"),
            ("sources-watched", "ClicksBehind", arn("Clicks"), "Clicks"),
            ("failures-watched", "ReaderThrottled", arn("Reader"), "Reader"),
            ("failures-watched", "DeskErrors", "Shop-Desk", "Desk"),
        ]
    ),
    Broken("failure-queues-kept", "the four days of SQS", ("Unread", P, "MessageRetentionPeriod")),
    Broken("sources-watched", "nothing on a queue's age", ("ParcelsBehind",), at="Parcels"),
    Broken("sources-watched", "nothing on a stream's age", ("BillerBehind",), at="Billing"),
    Broken("sources-watched", "nothing on what Firehose has", ("ClicksBehind",), at="Clicks"),
    Broken(
        "sources-watched",
        "an alarm when it is too late",
        ("BillerBehind", P, "Threshold"),
        86400000,
        at="Billing",
    ),
    Broken(
        "sources-watched",
        "an alarm whose periods last until it is too late",
        ("BillerBehind", P, "Threshold"),
        # Half of a stream's day, less than a period before.
        43200000 - 299999,
        at="Billing",
    ),
    Broken(
        "sources-watched",
        "the same of a queue's seconds",
        ("ParcelsBehind", P, "Threshold"),
        172800 - 299,
        at="Parcels",
    ),
    Broken(
        "sources-watched",
        "the same of a delivery stream's",
        ("ClicksBehind", P, "Threshold"),
        43200 - 299,
        at="Clicks",
    ),
    *(
        Broken(
            "failures-watched",
            f"{alarm}: what happens once, twice in a row",
            (alarm, P, "EvaluationPeriods"),
            2,
            at=of,
        )
        for alarm, of in [
            ("ReaderThrottled", "Reader"),
            ("DeskErrors", "Desk"),
            ("ClicksFailed", "Clicks"),
        ]
    ),
    Broken("failures-watched", "nothing on throttles", ("ReaderThrottled",), at="Reader"),
    Broken("failures-watched", "nothing on an API's 5xx", ("DeskErrors",), at="Desk"),
    Broken("failures-watched", "nothing on failed batches", ("ClicksFailed",), at="Clicks"),
    Broken(
        "failures-watched",
        "nothing on a REST API's 5xx",
        ("Counter",),
        resource("AWS::ApiGateway::RestApi", Name="Shop-Counter"),
    ),
    Broken("failures-watched", "nothing on a host", ("Host",), resource("AWS::EC2::Instance")),
    Broken("alarms-tell", "no action", ("DeskErrors", P, "AlarmActions")),
    Broken("alarms-tell", "actions turned off", ("DeskErrors", P, "ActionsEnabled"), False),
    Broken("alarms-tell", "no sentence", ("DeskErrors", P, "AlarmDescription"), "5xx"),
    Broken("alarms-tell", "no state while idle", ("DeskErrors", P, "TreatMissingData")),
    *(
        Broken("alarms-tell", f"{name}: {value}", ("DeskErrors", P, name), value)
        for name, value in [
            ("Period", None),
            ("Period", 86400),
            ("Period", 960),
            ("Period", 0),
            ("Period", 30),
            ("Period", 90),
            ("EvaluationPeriods", None),
            ("EvaluationPeriods", 0),
            ("EvaluationPeriods", 4),
            ("DatapointsToAlarm", 0),
            ("DatapointsToAlarm", 2),
            ("TreatMissingData", "ignore"),
            ("TreatMissingData", "breaching"),
        ]
    ),
    Broken(
        "alarms-tell",
        "another topic",
        ("DeskErrors", P, "AlarmActions"),
        [ref("News")],
    ),
    Broken(
        "alarms-tell",
        "a topic to which CloudWatch may not publish",
        ("Announced",),
        resource("AWS::SSM::Parameter", Name="/odyssey/alarm-topic-arn", Value=ref("News")),
        at="News",
    ),
]
