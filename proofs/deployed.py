"""How the synthesized templates say that things are delivered: nothing here is a number of ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local_cloud.async_delivery import AsyncSettings
from local_cloud.delivery import StreamSettings
from local_cloud.event_delivery import RetryPolicy
from local_cloud.firehose_settings import Processor, Settings
from local_cloud.queue_delivery import QueueSettings
from odyssey_cli import templates

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAPPING = "AWS::Lambda::EventSourceMapping"
Template = dict[str, Any]


@dataclass(frozen=True)
class Deployed:
    """The templates of all stacks, by the stack's name."""

    templates: Mapping[str, Template]

    def timeout(self, handler: str) -> float:
        """Return the seconds that a function has, by its handler without `.handler`."""
        [(_, properties)] = [
            each for each in self._functions() if each[1]["Handler"] == f"{handler}.handler"
        ]
        return float(properties["Timeout"])

    def stream(self, handler: str) -> StreamSettings:
        """Return how a stream comes to a function."""
        return StreamSettings.of(self._mapping(handler)[1])

    def queue(self, handler: str) -> QueueSettings:
        """Return how a queue comes to a function."""
        stack, mapping = self._mapping(handler)
        [queue] = templates.referenced(mapping["EventSourceArn"])
        its = self.templates[stack]["Resources"][queue]["Properties"]
        settings = QueueSettings.of(
            mapping, fifo=its.get("FifoQueue", False), visibility=its["VisibilityTimeout"]
        )
        return replace(settings, max_receives=its["RedrivePolicy"]["maxReceiveCount"])

    def receives(self, stack: str, name: str) -> int:
        """Return after how many receives a queue without a function gives a message up."""
        [found] = [
            each["Properties"]["RedrivePolicy"]["maxReceiveCount"]
            for logical_id, each in self.templates[stack]["Resources"].items()
            if each["Type"] == "AWS::SQS::Queue"
            and logical_id.startswith(name)
            and "RedrivePolicy" in each["Properties"]
        ]
        return int(found)

    def asynchronous(self, handler: str) -> AsyncSettings:
        """Return how often Lambda tries what a topic hands to a function."""
        for stack, properties in self._functions():
            if properties["Handler"] == f"{handler}.handler":
                resources = self.templates[stack]["Resources"]
                for config in templates.of(resources, "AWS::Lambda::EventInvokeConfig"):
                    [function] = templates.referenced(config["FunctionName"])
                    if resources[function]["Properties"] is properties:
                        return AsyncSettings.of(config)
        return AsyncSettings.of(None)

    def processor(self, stack: str) -> Processor:
        """Return how a delivery stream comes to its function."""
        [stream] = templates.of(
            self.templates[stack]["Resources"], "AWS::KinesisFirehose::DeliveryStream"
        )
        found = Settings.of(stream["ExtendedS3DestinationConfiguration"]).processor
        if found is None:
            raise LookupError(f"The delivery stream of {stack} has no function.")
        return found

    def retry_policy(self, stack: str) -> RetryPolicy:
        """Return how often a bus tries to put an event into the queue of its rule."""
        [rule] = templates.of(self.templates[stack]["Resources"], "AWS::Events::Rule")
        return RetryPolicy.of(rule["Targets"][0])

    def handlers(self) -> list[str]:
        """Return the handlers of all functions, without `.handler`, each once."""
        return sorted({each["Handler"].removesuffix(".handler") for _, each in self._functions()})

    def _functions(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (stack, properties)
            for stack, template in self.templates.items()
            for properties in templates.of(template["Resources"], "AWS::Lambda::Function")
            # What is not ours has no module of its own.
            if "." in properties["Handler"].removesuffix(".handler")
        ]

    def _mapping(self, handler: str) -> tuple[str, dict[str, Any]]:
        for stack, template in self.templates.items():
            resources = template["Resources"]
            for mapping in templates.of(resources, _MAPPING):
                [function] = templates.referenced(mapping["FunctionName"])
                if resources[function]["Properties"]["Handler"] == f"{handler}.handler":
                    return stack, mapping
        raise LookupError(f"No event source mapping is for {handler}.")
