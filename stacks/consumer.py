"""Bus -> queue -> responder -> totals and latest states -> API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aws_cdk import Duration

from odyssey_constructs.api import IamApi
from odyssey_constructs.bus import deliver
from odyssey_constructs.dashboard import dashboard
from odyssey_constructs.function import PythonFunction
from odyssey_constructs.queue import RejectsQueue, WorkQueue
from odyssey_constructs.stack import OdysseyStack
from odyssey_constructs.table import Table

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config

# The types of events that the functions know.
TYPES = ("order", "device", "inventory", "security")


class Consumer(OdysseyStack):
    """Reacts to the events of a bus: totals per type, and the latest state of every entity.

    Args:
        scope: the app.
        id: the stack's name.
        config: the app's settings, whose `consumer_bus` comes first.
        bus: the name of the bus if they name none.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config, bus: str = "default") -> None:
        super().__init__(scope, id, config=config, description="AWS Odyssey: reacts to events")
        queue = WorkQueue(
            self,
            "Queue",
            meaning="Events could not be delivered, or not be counted. Mend the cause, then run "
            "odyssey redrive Consumer.",
            visibility_timeout=Duration.minutes(2),
            config=config,
        )
        deliver(self, "Events", bus_name=config.consumer_bus or bus, types=TYPES, to=queue)
        markers = Table(self, "Markers", config=config)
        totals = Table(self, "Totals", config=config)
        entities = Table(self, "Entities", config=config)
        requests = Table(self, "Requests", config=config)
        rejects = RejectsQueue(
            self, "Rejects", what="What can never be counted", group="ingest", config=config
        )
        api = IamApi(self, "Api", config=config)
        kept = {
            "TOTALS_TABLE": totals.table.table_name,
            "ENTITIES_TABLE": entities.table.table_name,
        }

        function = partial(PythonFunction, self, config=config)
        responder = function(
            "Responder",
            handler="consumer.responder",
            environment=kept | {"MARKERS_TABLE": markers.table.table_name},
            timeout=Duration.seconds(15),
        )
        markers.allow_put(responder)
        totals.allow_update(responder)
        entities.allow_batch_get(responder)
        entities.allow_put(responder)
        rejects.take_from(responder)
        # All batches meet in the totals of the same few types: more at once would wait for each
        # other. Two is the least that SQS takes.
        queue.consume(
            responder,
            batch_size=100,
            max_batching_window=Duration.seconds(1),
            max_concurrency=2,
        )

        reader = function("Reader", handler="consumer.reader", environment=kept)
        totals.allow_batch_get(reader)
        entities.allow_get(reader)
        api.get("", reader)
        api.get("totals", reader)
        api.get("entities/{type}/{id}", reader)

        trigger = function(
            "Trigger",
            handler="consumer.trigger",
            environment={
                "REQUESTS_TABLE": requests.table.table_name,
                "EVENTS_QUEUE": queue.queue.queue_url,
            },
        )
        requests.allow_put(trigger)
        queue.allow_send(trigger)
        api.post("events", trigger)

        dashboard(
            self,
            api=api,
            functions=[responder, reader, trigger],
            queues=[queue],
            counts=[
                *("EventsCounted", "EventsAlreadyCounted", "MessagesFailed", "MessagesRejected"),
                *("EventsTriggered", "EventsTriggeredAgain", "EventsRefused"),
            ],
        )
        self.outputs(
            ApiUrl=api.url,
            ClientPolicyArn=api.client_policy.managed_policy_arn,
            EventsQueueUrl=queue.queue.queue_url,
            MarkersTable=markers.table.table_name,
            TotalsTable=totals.table.table_name,
            EntitiesTable=entities.table.table_name,
            RejectsQueueUrl=rejects.queue.queue_url,
        )
