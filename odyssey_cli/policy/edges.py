"""Finds every asynchronous edge in a template, and what no finder knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_cli.policy import edges_of_firehose, edges_of_lambda, edges_of_services
from odyssey_cli.policy.rule import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.policy.edge import Edge
    from odyssey_cli.policy.templates import Template

# What the finders look at, and everything that hands nothing over later by itself: a table or
# stream is an edge's source only by its mapping, a key or role never is. A type that is missing
# here is a finding, so that no new kind of edge goes unseen. What only tells people and keeps logs
# (alarms, budgets, flow logs) carries no data of a flow.
_KNOWN = {
    *("AWS::Events::Archive", "AWS::Events::EventBus", "AWS::Events::EventBusPolicy"),
    *("AWS::Events::Rule", "AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup"),
    *("AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping"),
    *("AWS::Lambda::Function", "AWS::Lambda::LayerVersion", "AWS::Lambda::Permission"),
    *("AWS::Logs::LogGroup", "AWS::Logs::LogStream", "AWS::Logs::MetricFilter"),
    *("AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy"),
    *("AWS::SQS::Queue", "AWS::SQS::QueuePolicy"),
    *("AWS::S3::Bucket", "AWS::S3::BucketPolicy"),
    *("AWS::SecretsManager::ResourcePolicy", "AWS::SecretsManager::Secret"),
    *("AWS::DynamoDB::Table", "AWS::Kinesis::Stream", "AWS::Kinesis::StreamConsumer"),
    *("AWS::KinesisFirehose::DeliveryStream", "AWS::Budgets::Budget", "AWS::CDK::Metadata"),
    *("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::SSM::Parameter"),
    *("AWS::AppConfig::Application", "AWS::AppConfig::ConfigurationProfile"),
    *("AWS::AppConfig::Deployment", "AWS::AppConfig::DeploymentStrategy"),
    *("AWS::AppConfig::Environment", "AWS::AppConfig::HostedConfigurationVersion"),
    "AWS::CloudFormation::CustomResource",
}
# Services of which no resource does: what calls them waits, or they are settings.
_SILENT = (
    *("AWS::ApiGateway::", "AWS::ApiGatewayV2::", "AWS::EC2::", "AWS::IAM::"),
    *("AWS::KMS::", "Custom::"),
)


def edges(template: Template) -> list[Edge]:
    """Return every asynchronous edge of a template."""
    found = [
        *edges_of_lambda.mappings(template),
        *edges_of_services.programs(template),
        *edges_of_services.subscriptions(template),
        *edges_of_services.rules(template),
        *edges_of_services.archives(template),
        *edges_of_services.notifications(template),
        *edges_of_services.replications(template),
        *edges_of_firehose.deliveries(template),
        *edges_of_lambda.custom_resources(template),
    ]
    asynchronous = ("topic to", "rule to", "schedule to", "bucket to")
    reached = {each.ends for each in found if each.kind.startswith(asynchronous)}
    return [*found, *edges_of_lambda.invocations(template, reached)]


def unguarded(template: Template) -> Iterator[Fault]:
    """Find edges that lack a guard, unless it is accepted that they do."""
    for edge in edges(template):
        for fault in edge.faults:
            yield Fault(fault.at, f"{edge.source} to {edge.target}: {fault.problem}", fault.remedy)


def unknown(template: Template) -> Iterator[Fault]:
    """Find what may be an edge of a kind that nothing here knows."""
    for logical_id, resource in template.resources.items():
        kind = resource["Type"]
        if kind not in _KNOWN and not kind.startswith(_SILENT):
            yield Fault(
                logical_id,
                f"Nobody knows whether an {kind} hands something over asynchronously.",
                "Let policy/edges.py find its edges, or name it there among what has none.",
            )
    for at, table in template.of("AWS::DynamoDB::Table").items():
        if "KinesisStreamSpecification" in table:
            yield Fault(
                at,
                "Nobody knows how a table's own stream to Kinesis is guarded.",
                "Use the table's stream, or let policy/edges.py find this edge.",
            )
    for at, config in template.of("AWS::Lambda::EventInvokeConfig").items():
        if "OnSuccess" in config.get("DestinationConfig", {}):
            yield Fault(
                at,
                "Nobody knows how what a function hands on when it succeeds is guarded.",
                "Let the function send it itself, or let policy/edges.py find this edge.",
            )
    for at, bucket in template.of("AWS::S3::Bucket").items():
        if "EventBridgeConfiguration" in bucket.get("NotificationConfiguration", {}):
            yield Fault(
                at,
                "Nobody knows what becomes of the events that a bucket puts on the default bus.",
                "Notify a queue, or let policy/edges.py find this edge.",
            )
