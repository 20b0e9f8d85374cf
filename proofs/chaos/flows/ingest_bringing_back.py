"""What comes back into the delivery stream: rejects that may pass, and what Firehose gave up."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from odyssey_cli import firehose_rejects
from odyssey_cli.flows.ingest import reprocess as reprocessing
from odyssey_cli.flows.ingest.senders import ToStream
from proofs.chaos import faults
from proofs.chaos.firehose import STREAM
from proofs.chaos.flows.ingest_errors import PREFIX
from proofs.chaos.flows.ingest_producers import QUEUE
from proofs.chaos.running import Stuck
from proofs.chaos.world import REJECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs.chaos.flows.ingest import Ingest

_IMPATIENT = 200
_LETTERS = "https://sqs/dead.fifo"


def put_back_rejects(world: Ingest) -> int:
    """Put records back that were rejected only because the queue did not take them."""
    queue = world.clouds.sqs.queues.get(REJECTS, [])
    due = [
        each
        for each in queue
        if world.name_of_reject(each["MessageBody"]) not in world.poison
        and '"recordId"' in each["MessageBody"]
    ]
    before = Counter(world.taken)
    done = 0
    for each in due:
        act = partial(
            firehose_rejects.put_back,
            _Target(world),  # type: ignore[arg-type]
            json.loads(each["MessageBody"]),
            event_id=each["MessageAttributes"]["event_id"]["StringValue"],
            streams=[STREAM],
        )
        _, trouble = world.machine.run(faults.of_redrive("transformer"), act)
        world.pump()
        name, at = world.name_of_reject(each["MessageBody"]), world.schedule.elapsed
        world.history.note([name], at, "rejects queue", trouble or "put back")
        # What did not work, or was not seen to, is still there when it is done again.
        if trouble is None:
            done += 1
            if not world.faults.keeps("transformer"):
                queue.remove(each)
    # They have the ids of the first time: put again they are the same events.
    world.taken = before
    world.schedule.run()
    return done


def reprocess(world: Ingest) -> int:
    """Put records back that Firehose gave up because the function failed as a whole.

    Whoever does so dies and fails, too, and does it again. What waits for the queue waits for the
    next round, unless nothing else is given up than what the storer dies of.
    """
    dead = set(world.fifo.dead())
    stream = ToStream("stream", world.clouds.firehose, lambda: range(3))  # type: ignore[arg-type]
    act = partial(
        reprocessing.reprocess,
        _Target(world),  # type: ignore[arg-type]
        stream,
        despite_queued=bool(dead) and dead <= world.killers.keys(),
    )
    before = Counter(world.taken)
    done = 0
    for _ in range(_IMPATIENT):
        report, trouble = world.machine.run("generator", act)
        world.pump()
        if trouble is None:
            done += int(report.brought_back)
            if not report.refused:
                break
    else:
        raise Stuck("generator", f"never got through: {trouble}")
    # All have an id now: put again because an answer was lost, they are the same events.
    world.taken = before
    world.schedule.run()
    return done


@dataclass(frozen=True)
class _Target:
    """Where the two commands go."""

    world: Ingest
    account: str = "123456789012"

    def client(self, service: str) -> Any:
        """Return a service's client."""
        return {
            "firehose": self.world.clouds.firehose,
            "s3": self.world.errors,
            "dynamodb": _Store(self.world),
            "sqs": _Queues(self.world),
        }[service]

    def outputs(self, _stack: str) -> dict[str, str]:
        """Return what the intake has."""
        return {
            "LakeBucket": "lake",
            "ErrorsPrefix": PREFIX,
            "EventsTable": "events",
            "EventsQueueUrl": QUEUE,
            "RejectsQueueUrl": REJECTS,
        }

    def seconds(self, _of_aws: float) -> float:
        """Return no time: everything has come to rest."""
        return 0.0


@dataclass(frozen=True)
class _Queues:
    """As much of SQS as reprocessing asks for: rejects, and how many messages there are."""

    world: Ingest
    held: list[dict[str, Any]] = field(default_factory=list)

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Return numbers of messages, or where dead letters are; nothing is delayed."""
        source = self.world.fifo
        if AttributeNames == ["RedrivePolicy"]:
            policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:123456789012:{_LETTERS}"}
            return {"Attributes": {"RedrivePolicy": json.dumps(policy)}}
        rejects = self.world.clouds.sqs.queues.get(REJECTS, [])
        number = {QUEUE: source.queued, _LETTERS: source.waiting, REJECTS: len(rejects)}[QueueUrl]
        first, *others = AttributeNames
        return {"Attributes": {first: str(number), **dict.fromkeys(others, "0")}}

    def get_queue_url(self, **_queue: str) -> dict[str, str]:
        """Return the address of the events queue's dead-letter queue."""
        return {"QueueUrl": _LETTERS}

    def receive_message(self, *, QueueUrl: str, **_request: Any) -> dict[str, Any]:  # noqa: N803
        """Return all rejects, once for each client."""
        assert QueueUrl == REJECTS
        if self.held:
            return {}
        rejects = self.world.clouds.sqs.queues.get(REJECTS, [])
        self.held.extend(
            {**each, "Body": each["MessageBody"], "ReceiptHandle": each["MessageId"]}
            for each in rejects
        )
        return {"Messages": self.held}

    def change_message_visibility(self, **request: Any) -> None:
        """Give a reject back: nobody else looks for one meanwhile."""
        assert request["VisibilityTimeout"] == 0


@dataclass(frozen=True)
class _Store:
    """As much of DynamoDB as reprocessing asks for."""

    world: Ingest

    def get_paginator(self, operation: str) -> _Store:
        """Return the one paginator."""
        assert operation == "query"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        """Yield the events of an entity at a time."""
        values = request["ExpressionAttributeValues"]
        entity, time = values[":entity"], values[":time"]["S"]
        yield {
            "Items": [
                item
                for item in self.world.table.values()
                if item["entity"] == entity and item["at"]["S"].startswith(time)
            ]
        }
