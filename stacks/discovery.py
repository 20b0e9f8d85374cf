"""Script -> file and item -> queue -> updater -> queue -> service that compares the two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_iam as iam

from odyssey_constructs.bucket import Bucket
from odyssey_constructs.client import Client, way_in
from odyssey_constructs.dashboard import dashboard
from odyssey_constructs.function import PythonFunction
from odyssey_constructs.queue import RejectsQueue, WorkQueue
from odyssey_constructs.stack import OdysseyStack
from odyssey_constructs.table import Table

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config


class Discovery(OdysseyStack):
    """Keeps files and their state; the state moves on, the file never changes."""

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(
            scope, id, config=config, description="AWS Odyssey: files, and the state of each"
        )
        items = Table(self, "Items", config=config)
        files = Bucket(self, "Files", config=config)
        uploaded = WorkQueue(
            self,
            "Uploaded",
            meaning="Items could not be updated, or not announced. Mend the cause, then run "
            "odyssey redrive Discovery.",
            visibility_timeout=Duration.minutes(3),
            config=config,
        )
        updated = WorkQueue(
            self,
            "Updated",
            meaning="The service could not verify items: their file is not the one that was "
            "submitted, or could not be read. Mend the cause, then run odyssey redrive Discovery.",
            visibility_timeout=Duration.minutes(1),
            config=config,
        )
        rejects = RejectsQueue(
            self,
            "Rejects",
            what="Messages that the updater can never process",
            group="discovery",
            config=config,
        )

        script = Client(self, "Script", description="Submits items")
        items.allow_put(script)
        files.allow_put(script)
        uploaded.allow_send(script)

        updater = PythonFunction(
            self,
            "Updater",
            handler="discovery.updater",
            environment={
                "ITEMS_TABLE": items.table.table_name,
                "UPDATED_QUEUE": updated.queue.queue_url,
            },
            timeout=Duration.seconds(30),
            config=config,
        )
        items.allow_update(updater)
        updated.allow_send(updater)
        rejects.take_from(updater)
        uploaded.consume(updater)

        service = Client(self, "Service", description="Verifies updated items")
        updated.allow_receive(service)
        items.allow_batch_get(service)
        files.allow_get(service)

        policies = [script.policy, service.policy, way_in(self, "WayIn", [script, service])]
        people = iam.Group(self, "People", managed_policies=policies)
        if config.discovery_user:
            iam.User(self, "User", groups=[people])

        dashboard(
            self,
            functions=[updater],
            queues=[uploaded, updated],
            counts=["ItemsUpdated", "ItemsAlreadyUpdated", "MessagesFailed", "MessagesRejected"],
        )
        self.outputs(
            ItemsTable=items.table.table_name,
            FilesBucket=files.bucket.bucket_name,
            UploadedQueueUrl=uploaded.queue.queue_url,
            UpdatedQueueUrl=updated.queue.queue_url,
            RejectsQueueUrl=rejects.queue.queue_url,
        )
