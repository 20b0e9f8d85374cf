"""Failure queues and functions in memory, for what brings failures back."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey_cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

ACCOUNT = "000000000000"
MULTIPLIER, LOGGER = "PubSub-Multiplier", "PubSub-Logger"
Record = dict[str, Any]


def attributes(**texts: str) -> dict[str, dict[str, str]]:
    """Return message attributes."""
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


@dataclass
class FakeQueues:
    """Standard queues by URL; a message that was received is hidden until it is released."""

    queues: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, url: str, body: object, **texts: str) -> str:
        """Put a message into a queue, JSON unless it is text; return its id."""
        name = f"sqs-{next(self._numbers)}"
        message = {
            "MessageId": name,
            "ReceiptHandle": name,
            "Body": body if isinstance(body, str) else json.dumps(body),
            "MD5OfBody": f"md5 of {name}",
            "Attributes": {"SentTimestamp": "1795262400000"},
            "MessageAttributes": attributes(**texts),
        }
        self.queues.setdefault(url, []).append(message)
        return name

    def visible(self, url: str) -> list[str]:
        """Return the ids of the messages that anybody may receive."""
        ids = [message["MessageId"] for message in self.queues.get(url, [])]
        return [each for each in ids if each not in self.hidden]

    def receive_message(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's
        ids = self.visible(QueueUrl)[:10]
        self.hidden |= set(ids)
        found = [each for each in self.queues.get(QueueUrl, []) if each["MessageId"] in ids]
        return {"Messages": found} if found else {}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        assert ReceiptHandle in self.hidden
        queue = self.queues[QueueUrl]
        queue[:] = [each for each in queue if each["MessageId"] != ReceiptHandle]

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> None:
        assert VisibilityTimeout == 0
        assert QueueUrl in self.queues
        self.hidden.discard(ReceiptHandle)

    def get_queue_attributes(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{QueueUrl.rpartition('/')[2]}"
        policy = self.policies.get(QueueUrl)
        return {"Attributes": {"QueueArn": arn, **({"RedrivePolicy": policy} if policy else {})}}


@dataclass
class FakeFunctions:
    """Lambda.

    Attributes:
        invoked: the functions that were invoked, and with which records.
        payload: what they answer.
        error: whether that is an error.
        on_invoke: what a function does, given its records.
        destinations: where failed asynchronous invocations go, by function.
        lookups: the functions that were asked for that.
        sources: what event source mappings read, by their ids.
    """

    invoked: list[tuple[str, list[Record]]] = field(default_factory=list)
    payload: object = None
    error: bool = False
    on_invoke: Callable[[list[Record]], object] = lambda _: None
    destinations: dict[str, str | None] = field(default_factory=dict)
    lookups: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    class exceptions:  # noqa: N801 - boto3's name
        class ResourceNotFoundException(Exception):  # noqa: N818 - AWS's name
            pass

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        records = json.loads(Payload)["Records"]
        self.invoked.append((FunctionName, records))
        self.on_invoke(records)
        said = {"Payload": io.BytesIO(json.dumps(self.payload).encode())}
        return {**said, "FunctionError": "Unhandled"} if self.error else said

    def get_function_event_invoke_config(self, *, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        self.lookups.append(FunctionName)
        if FunctionName not in self.destinations:
            raise self.exceptions.ResourceNotFoundException
        destination = self.destinations[FunctionName]
        on_failure = {"OnFailure": {"Destination": destination}} if destination else {}
        return {"DestinationConfig": on_failure}

    def get_event_source_mapping(self, *, UUID: str) -> dict[str, Any]:  # noqa: N803
        source = self.sources.get(UUID, "arn:stream")
        return {"UUID": UUID, "EventSourceArn": source, "FunctionArn": "arn:f"}


@dataclass
class FakeFormation:
    """CloudFormation with one stack: physical ids by resource type."""

    resources: dict[str, list[str]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        outputs = [{"OutputKey": name, "OutputValue": v} for name, v in self.outputs.items()]
        return {"Stacks": [{"StackName": StackName, "Outputs": outputs}]}

    def get_paginator(self, _name: str) -> FakeFormation:
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        for kind, ids in self.resources.items():
            summaries = [{"ResourceType": kind, "PhysicalResourceId": each} for each in ids]
            yield {"StackResourceSummaries": summaries}


class Cloud:
    """A target whose calls go to the fakes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sqs, self.functions, self.formation = FakeQueues(), FakeFunctions(), FakeFormation()
        clients = {"sqs": self.sqs, "lambda": self.functions, "cloudformation": self.formation}
        monkeypatch.setattr(Target, "client", lambda _, service, **__: clients[service])
        self.target = Target({}, Path(), None)
