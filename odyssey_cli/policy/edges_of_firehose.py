"""Asynchronous edges of delivery streams: to the function that transforms, and to the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_cli.policy.edge import Edge
from odyssey_cli.policy.edges_of_services import BUCKET
from odyssey_cli.policy.ends import FUNCTION
from odyssey_cli.policy.rule import Fault
from odyssey_cli.policy.templates import Properties, Template, as_list, text, whole
from odyssey_cli.policy.watching import Metric, told, watchers

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM = "AWS::KinesisFirehose::DeliveryStream"
_S3 = "ExtendedS3DestinationConfiguration"
# What says where records come from, and how they are kept until they are delivered.
_NOT_A_DESTINATION = {
    "DeliveryStreamEncryptionConfigurationInput",
    "DeliveryStreamName",
    "DeliveryStreamType",
    "Tags",
}
# How long Firehose tries to deliver to a bucket ("Handle data delivery failures", Amazon Data
# Firehose, 2026-11-21).
_AGE = "24 h"
# "Monitor Amazon Data Firehose with CloudWatch metrics", 2026-11-21: in the bucket well before
# records are lost, and no batch of which the function failed as a whole.
BEHIND = Metric(
    *("AWS/Firehose", "DeliveryToS3.DataFreshness", "DeliveryStreamName", "Maximum"),
    most=12 * 60 * 60,
    grows=1,
)
FAILED = Metric(
    *("AWS/Firehose", "ExecuteProcessing.Success", "DeliveryStreamName", "Average"),
    most=1,
    falls=True,
    passes=True,
)


def deliveries(template: Template) -> Iterator[Edge]:
    """Find what delivery streams hand over."""
    for at, stream in template.of(STREAM).items():
        destination = stream.get(_S3, {})
        processing = destination.get("ProcessingConfiguration", {})
        for processor in as_list(processing.get("Processors")):
            if processing.get("Enabled") is True and processor.get("Type") == "Lambda":
                yield _to_function(template, at, destination, processor)
        yield _to_bucket(template, at, stream, destination)


def _to_function(
    template: Template, at: str, destination: Properties, processor: Properties
) -> Edge:
    parameters = {
        each.get("ParameterName"): each.get("ParameterValue")
        for each in as_list(processor.get("Parameters"))
    }
    function = template.resource(parameters.get("LambdaArn"), FUNCTION)
    retries = whole(parameters.get("NumberOfRetries"))
    alarms = watchers(template, FAILED, at)
    faults = [*_failures(template, at, destination)]
    if retries is None:
        faults.append(
            Fault(at, "It does not say how often it tries.", "State the processor's retries.")
        )
    if not alarms:
        faults.append(
            Fault(
                at,
                "Nobody is told when the function fails on whole batches.",
                f"Make an alarm on {FAILED.name}, below 1, that acts on the alarm topic.",
            )
        )
    return Edge(
        at,
        template.label(at),
        template.label(function) if function else text(parameters.get("LambdaArn")),
        "delivery stream to function",
        # "Handle failure in data transformation", Amazon Data Firehose, 2026-11-21: three, unless
        # it is told otherwise.
        tries=f"1 + {3 if retries is None else retries}",
        age=_AGE,
        partial="yes",
        given_up=_errors(template, destination),
        told=told(template, alarms) or "nobody",
        faults=tuple(faults),
        ends=function or "",
    )


def _to_bucket(template: Template, at: str, stream: Properties, destination: Properties) -> Edge:
    bucket = template.resource(destination.get("BucketARN"), BUCKET)
    alarms = watchers(template, BEHIND, at)
    faults = [*_failures(template, at, destination)]
    others = sorted(set(stream) - _NOT_A_DESTINATION - {_S3})
    if bucket is None or others:
        faults.append(
            Fault(
                at,
                f"It delivers elsewhere than to a bucket of the stack: {', '.join(others)}.",
                "Deliver to a bucket of the stack, or say in policy/edges_of_firehose.py how this "
                "is guarded.",
            )
        )
    if not alarms:
        faults.append(
            Fault(
                at,
                "Nobody is told when records wait until they are lost.",
                f"Make an alarm on {BEHIND.name}, at 12 hours or less, that acts on the alarm "
                "topic.",
            )
        )
    return Edge(
        at,
        template.label(at),
        template.label(bucket) if bucket else "?",
        "delivery stream to bucket",
        tries="Firehose's own",
        age=_AGE,
        partial="yes",
        given_up=_errors(template, destination),
        told=told(template, alarms) or "nobody",
        faults=tuple(faults),
        ends=bucket or "",
    )


def _errors(template: Template, destination: Properties) -> str:
    bucket = template.resource(destination.get("BucketARN"), BUCKET)
    prefix = str(destination.get("ErrorOutputPrefix", "")).partition("!")[0]
    return f"{template.label(bucket)} {prefix}" if bucket and prefix else "nowhere"


def _failures(template: Template, at: str, destination: Properties) -> Iterator[Fault]:
    errors, good = destination.get("ErrorOutputPrefix"), destination.get("Prefix", "")
    if not errors or errors == good:
        yield Fault(
            at,
            "What fails is among what did not.",
            "State ErrorOutputPrefix, another than Prefix.",
        )
    logging = destination.get("CloudWatchLoggingOptions", {})
    has = logging.get("Enabled") is True and all(
        template.resource(logging.get(name), kind)
        for name, kind in (
            ("LogGroupName", "AWS::Logs::LogGroup"),
            ("LogStreamName", "AWS::Logs::LogStream"),
        )
    )
    if not has:
        yield Fault(
            at,
            "Why something fails is written down nowhere.",
            "Enable CloudWatchLoggingOptions, with a log group and stream of this template.",
        )
