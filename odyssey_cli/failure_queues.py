"""The failure queues of a deployed stack, found by how they are wired."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from odyssey_cli.target import Target

REJECTS_OUTPUT = "RejectsQueueUrl"


class Kind(StrEnum):
    """What a failure queue holds."""

    REJECTS = "rejects"
    POINTERS = "stream batches"
    DELIVERIES = "topic deliveries"
    DEAD_LETTERS = "dead letters"


@dataclass(frozen=True)
class FailureQueue:
    """One of a stack's failure queues.

    Attributes:
        url: its address.
        kind: what it holds.
        mappings: the event source mappings of the stack whose failures may be in it; for dead
            letters, those that read the queue they come from.
        functions: the names of the functions that may have to do with what is in it.
        streams: for rejects, the ARNs of the stack's delivery streams.
        source: for dead letters, the address of the queue they come from.
        max_receives: for dead letters, how often that queue lets a message be received.
    """

    url: str
    kind: Kind
    mappings: tuple[dict[str, Any], ...] = ()
    functions: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    source: str = ""
    max_receives: int = 0


def discover(target: Target, stack: str) -> list[FailureQueue]:
    """Return a deployed stack's failure queues, found by how they are wired."""
    outputs = target.outputs(stack)
    formation, sqs = target.client("cloudformation"), target.client("sqs")
    resources: dict[str, list[str]] = {}
    for page in formation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            ids = resources.setdefault(resource["ResourceType"], [])
            ids.append(resource["PhysicalResourceId"])
    functions = target.client("lambda")
    mappings = [
        functions.get_event_source_mapping(UUID=each)
        for each in resources.get("AWS::Lambda::EventSourceMapping", [])
    ]
    arns: dict[str, str] = {}
    sources: dict[str, tuple[str, int]] = {}
    for url in resources.get("AWS::SQS::Queue", []):
        attributes = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"]
        )["Attributes"]
        arns[url] = attributes["QueueArn"]
        if "RedrivePolicy" in attributes:
            policy = json.loads(attributes["RedrivePolicy"])
            sources[policy["deadLetterTargetArn"]] = url, int(policy["maxReceiveCount"])
    of_stack = tuple(resources.get("AWS::Lambda::Function", []))
    # Most stacks have none of these, and are spared the calls.
    asynchronous = of_stack if "AWS::Lambda::EventInvokeConfig" in resources else ()
    invoked = _async_destinations(functions, asynchronous)
    found = []
    for url, arn in arns.items():
        given_up = tuple(each for each in mappings if _destination(each) == arn)
        if _name(url) == _name(outputs.get(REJECTS_OUTPUT, "")):
            streams = _stream_arns(
                target, resources.get("AWS::KinesisFirehose::DeliveryStream", [])
            )
            found.append(FailureQueue(url, Kind.REJECTS, tuple(mappings), of_stack, streams))
        elif given_up:
            found.append(FailureQueue(url, Kind.POINTERS, given_up))
        elif arn in invoked:
            found.append(FailureQueue(url, Kind.DELIVERIES, functions=tuple(invoked[arn])))
        elif arn in sources:
            source, receives = sources[arn]
            readers = tuple(each for each in mappings if each["EventSourceArn"] == arns[source])
            found.append(
                FailureQueue(url, Kind.DEAD_LETTERS, readers, source=source, max_receives=receives)
            )
    return found


def _stream_arns(target: Target, names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    firehose = target.client("firehose")
    return tuple(
        firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"][
            "DeliveryStreamARN"
        ]
        for name in names
    )


def _async_destinations(functions: Any, names: Iterable[str]) -> dict[str, list[str]]:  # noqa: ANN401 - a client
    """Return where Lambda puts failed asynchronous invocations: names of functions by ARN."""
    found: dict[str, list[str]] = {}
    for name in names:
        try:
            config = functions.get_function_event_invoke_config(FunctionName=name)
        except functions.exceptions.ResourceNotFoundException:
            continue
        found.setdefault(_destination(config), []).append(name)
    return found


def _destination(mapping: dict[str, Any]) -> str:
    """Return where the failures of an event source mapping or a function go, "" if nowhere."""
    config = mapping.get("DestinationConfig") or {}
    return str((config.get("OnFailure") or {}).get("Destination", ""))


def _name(url: str) -> str:
    """Return a queue's account and name: hosts differ between two spellings of one address."""
    return "/".join(url.split("/")[-2:])
