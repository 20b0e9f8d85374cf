"""The app: settings in, stacks out. `python app.py` synthesizes and checks all of it."""

import json
import os
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from odyssey_constructs.account_guard import check_account
from odyssey_constructs.config import Config
from odyssey_constructs.images import image
from stacks.consumer import Consumer
from stacks.discovery import Discovery
from stacks.event_aggregator import EventAggregator
from stacks.ingest import Ingest
from stacks.network import Network
from stacks.operations import Operations
from stacks.pubsub import PubSub


def build(app: App) -> None:
    """Put the stacks and the checks into `app`, whose context holds the settings."""
    context = app.node.get_all_context()
    config = Config.from_context(context)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))

    operations = Operations(app, "Operations", config=config)
    ingest = Ingest(app, "Ingest", config=config)
    consumer = Consumer(app, "Consumer", bus=ingest.bus.name, config=config)
    if config.consumer_bus in (None, ingest.bus.name):
        # There is no rule on a bus that is not there yet.
        consumer.add_stack_dependency(ingest)
    for system in [
        Network(app, "Network", ami=image(config, context, os.environ), config=config),
        EventAggregator(app, "EventAggregator", config=config),
        Discovery(app, "Discovery", config=config),
        PubSub(app, "PubSub", config=config),
        ingest,
        consumer,
    ]:
        # Its parameter names the alarm topic, its role lets a REST API log.
        system.add_stack_dependency(operations)


def context_defaults() -> dict[str, object]:
    """Return the context of cdk.json, which only the CDK CLI would read by itself."""
    file = Path(__file__).with_name("cdk.json")
    context: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))["context"]
    return context


if __name__ == "__main__":
    check_account(os.environ, Path(__file__).with_name(".env"))
    app = App(context=context_defaults())
    build(app)
    app.synth()
