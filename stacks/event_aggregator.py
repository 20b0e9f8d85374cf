"""POST trigger-event -> events table -> stream -> summaries table -> GET get-summary."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import Duration

from odyssey_constructs.api import IamApi
from odyssey_constructs.dashboard import dashboard
from odyssey_constructs.function import PythonFunction
from odyssey_constructs.queue import RejectsQueue
from odyssey_constructs.stack import OdysseyStack
from odyssey_constructs.stream_consumer import StreamConsumer
from odyssey_constructs.table import Table

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config

RANKING = "by-count"


class EventAggregator(OdysseyStack):
    """Accepts events over HTTP and keeps, per group of equal events, their count and times."""

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(
            scope, id, config=config, description="AWS Odyssey: counts events by group"
        )
        events = Table(self, "Events", stream=True, config=config)
        processed = Table(self, "Processed", config=config)
        summaries = Table(self, "Summaries", config=config)
        summaries.add_ranking(RANKING, partition_key="ranking", rank="item_count")
        rejects = RejectsQueue(
            self,
            "Rejects",
            what="Records that the aggregator can never count",
            group="aggregator",
            config=config,
        )
        api = IamApi(self, "Api", config=config)

        producer = PythonFunction(
            self,
            "Producer",
            handler="event_aggregator.producer",
            environment={
                "EVENTS_TABLE": events.table.table_name,
                "GROUP_BY": json.dumps(config.aggregator_group_by),
                "EVENT_TTL_DAYS": str(config.aggregator_event_ttl_days or 0),
            },
            config=config,
        )
        events.allow_put(producer)
        api.post("trigger-event", producer)

        aggregator = PythonFunction(
            self,
            "Aggregator",
            handler="event_aggregator.aggregator",
            environment={
                "PROCESSED_TABLE": processed.table.table_name,
                "SUMMARIES_TABLE": summaries.table.table_name,
            },
            timeout=Duration.minutes(1),
            config=config,
        )
        processed.allow_put(aggregator)
        summaries.allow_batch_get(aggregator)
        summaries.allow_update(aggregator)
        rejects.take_from(aggregator)
        StreamConsumer(self, "Aggregation", table=events, function=aggregator, config=config)

        reader = PythonFunction(
            self,
            "Reader",
            handler="event_aggregator.reader",
            environment={
                "SUMMARIES_TABLE": summaries.table.table_name,
                "RANKING": RANKING,
            },
            config=config,
        )
        summaries.allow_get(reader)
        summaries.allow_query(reader, index=RANKING)
        api.get("get-summary", reader)
        api.get("get-summary/{id}", reader)

        dashboard(
            self,
            api=api,
            functions=[producer, aggregator, reader],
            stream_consumer=aggregator,
            counts=[
                "EventsAccepted",
                "EventsRepeated",
                "EventsRefused",
                "EventsCounted",
                "EventsAlreadyCounted",
                "EventsFailed",
                "EventsRejected",
            ],
        )
        self.outputs(
            ApiUrl=api.url,
            ClientPolicyArn=api.client_policy.managed_policy_arn,
            EventsTable=events.table.table_name,
            RejectsQueueUrl=rejects.queue.queue_url,
            EventTtlDays=str(config.aggregator_event_ttl_days or 0),
            SummariesTable=summaries.table.table_name,
        )
