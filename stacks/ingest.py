"""Delivery stream -> lake and FIFO queue -> events table -> bus: streaming data in, events out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aws_cdk import Duration

from odyssey_constructs.bucket import Bucket
from odyssey_constructs.bus import Bus
from odyssey_constructs.client import Client
from odyssey_constructs.dashboard import dashboard
from odyssey_constructs.delivery_stream import ERRORS, EVENTS, DeliveryStream
from odyssey_constructs.function import PythonFunction
from odyssey_constructs.queue import RejectsQueue, WorkQueue
from odyssey_constructs.replication import Replica
from odyssey_constructs.stack import OdysseyStack
from odyssey_constructs.stream_consumer import StreamConsumer
from odyssey_constructs.table import Table

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config


class Ingest(OdysseyStack):
    """Takes records in, keeps all of them, and tells everybody on a bus."""

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(scope, id, config=config, description="AWS Odyssey: data in, events out")
        lake = Bucket(
            self,
            "Lake",
            archive_days=config.ingest_lake_glacier_days,
            archive_prefix=EVENTS,
            expiry_days=config.ingest_lake_expiry_days,
            replica=Replica.of(config.ingest_replica_bucket, config.ingest_replica_key),
            config=config,
        )
        queue = WorkQueue(
            self,
            "Queue",
            meaning="Events could not be stored. Mend the cause, then run odyssey redrive Ingest.",
            visibility_timeout=Duration.minutes(1),
            fifo=True,
            config=config,
        )
        events = Table(
            self, "Events", partition_key="entity", sort_key="at", stream=True, config=config
        )
        self.bus = Bus(self, "Bus")
        rejects = RejectsQueue(
            self, "Rejects", what="What can never be processed", group="ingest", config=config
        )

        by_type = config.ingest_dynamic_partitioning
        function = partial(PythonFunction, self, config=config)
        transformer = function(
            "Transformer",
            handler="ingest.transformer",
            environment={
                "EVENTS_QUEUE": queue.queue.queue_url,
                "PARTITIONED": str(by_type).lower(),
            },
            timeout=Duration.minutes(5),
        )
        queue.allow_send(transformer)
        stream = DeliveryStream(
            self, "Stream", bucket=lake, function=transformer, partitioned=by_type, config=config
        )

        ttl_days = str(config.ingest_event_ttl_days or 0)
        storer = function(
            "Storer",
            handler="ingest.storer",
            environment={"EVENTS_TABLE": events.table.table_name, "EVENT_TTL_DAYS": ttl_days},
        )
        events.allow_put(storer)
        queue.consume(storer)

        emitter = function(
            "Emitter",
            handler="ingest.emitter",
            environment={"BUS": self.bus.name},
            timeout=Duration.minutes(1),
        )
        self.bus.allow_put(emitter)
        StreamConsumer(self, "Emission", table=events, function=emitter, config=config)
        rejects.take_from(transformer, storer, emitter)

        producer = Client(self, "Producer", description="Puts records, and sends events directly")
        stream.allow_put(producer)
        queue.allow_send(producer)

        dashboard(
            self,
            functions=[transformer, storer, emitter],
            stream_consumer=emitter,
            queues=[queue],
            counts=[
                *("EventsQueued", "RecordsRejected", "EventsStored", "EventsAlreadyStored"),
                *("MessagesFailed", "MessagesRejected", "EventsEmitted", "EventsNotEmitted"),
                "ItemsRejected",
            ],
        )
        self.outputs(
            DeliveryStreamName=stream.stream.ref,
            LakeBucket=lake.bucket.bucket_name,
            EventsPrefix=EVENTS,
            ErrorsPrefix=ERRORS,
            EventsQueueUrl=queue.queue.queue_url,
            EventsTable=events.table.table_name,
            EventTtlDays=ttl_days,
            BusName=self.bus.name,
            BusArn=self.bus.bus.event_bus_arn,
            ArchiveArn=self.bus.archive_arn,
            RejectsQueueUrl=rejects.queue.queue_url,
        )
