"""What comes back into the delivery stream: rejects that may pass, and what Firehose gave up."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from odyssey_cli import firehose_rejects
from odyssey_cli.flows.ingest.given_up import GivenUp
from proofs.chaos.firehose import STREAM
from proofs.chaos.flows import ingest_reckoning
from proofs.chaos.world import REJECTS

if TYPE_CHECKING:
    from proofs.chaos.flows.ingest import Ingest

# Records of a call.
_MOST = 60


def put_back_rejects(world: Ingest) -> int:
    """Put records back that were rejected only because the queue did not take them."""
    queue = world.clouds.sqs.queues.get(REJECTS, [])
    due = [
        each
        for each in queue
        if world.name_of_reject(each["MessageBody"]) not in world.poison
        and '"recordId"' in each["MessageBody"]
    ]
    for each in due:
        body = json.loads(each["MessageBody"])
        event_id = each["MessageAttributes"]["event_id"]["StringValue"]
        firehose_rejects.put_back(_Target(world), body, event_id=event_id, streams=[STREAM])  # type: ignore[arg-type]
        queue.remove(each)
        world.pump()
    world.schedule.run()
    return len(due)


def reprocess(world: Ingest) -> int:
    """Put records back that Firehose gave up because the function failed as a whole."""
    stored = ingest_reckoning.stored(world)
    due = [
        (event, given_up, document)
        for event, document in world.firehose.errors
        if (given_up := GivenUp.of(document.encode())).code != "Lambda.ProcessingFailedStatus"
    ]
    gone = {id(document) for _, _, document in due}
    world.firehose.errors = [each for each in world.firehose.errors if id(each[1]) not in gone]
    records = [stored.named(given_up) for _, given_up, _ in due]
    before = Counter(world.taken)
    for start in range(0, len(records), _MOST):
        world.producers.put(records[start : start + _MOST])
    # Each is meant to be put once; more often it is only if an answer was lost.
    world.taken = before + (world.taken - before - Counter(event for event, _, _ in due))
    world.schedule.run()
    return len(due)


@dataclass(frozen=True)
class _Target:
    """What `odyssey redrive` calls Firehose with."""

    world: Ingest

    def client(self, service: str) -> Any:
        """Return the delivery stream's client."""
        assert service == "firehose"
        return self.world.clouds.firehose
