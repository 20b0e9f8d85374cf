"""Everything that exists on a local cloud, so that leftovers show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from odyssey_cli.target import Target

# Service, paginated call, list in its answer, name in an entry ("" where entries are names).
_LISTINGS = [
    ("apigateway", "get_rest_apis", "items", "id"),
    ("apigatewayv2", "get_apis", "Items", "ApiId"),
    ("cloudformation", "list_stacks", "StackSummaries", "StackName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("dynamodb", "list_tables", "TableNames", ""),
    ("iam", "list_groups", "Groups", "GroupName"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_users", "Users", "UserName"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("secretsmanager", "list_secrets", "SecretList", "ARN"),
    ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sqs", "list_queues", "QueueUrls", ""),
    ("ssm", "describe_parameters", "Parameters", "Name"),
]


def everything(target: Target) -> set[str]:
    """Return `service name` of every resource of the kinds our stacks have."""
    found: set[str] = set()
    for service, call, key, name in _LISTINGS:
        client = target.client(service)
        for page in client.get_paginator(call).paginate():
            for entry in page.get(key, []):
                if service == "cloudformation" and entry["StackStatus"] == "DELETE_COMPLETE":
                    continue
                found.add(f"{service} {entry[name] if name else entry}")
    iam = target.client("iam")
    for page in iam.get_paginator("list_policies").paginate(Scope="Local"):
        found |= {f"iam {policy['PolicyName']}" for policy in page["Policies"]}
    found |= {f"s3 {bucket['Name']}" for bucket in target.client("s3").list_buckets()["Buckets"]}
    gateway = target.client("apigateway")
    if role := gateway.get_account().get("cloudwatchRoleArn"):
        found.add(f"apigateway log role {role}")
    return found | set(_streams(target)) | set(_buses(target))


def _streams(target: Target) -> Iterator[str]:
    firehose = target.client("firehose")
    after: dict[str, Any] = {}
    while True:
        answer = firehose.list_delivery_streams(**after)
        names = answer["DeliveryStreamNames"]
        yield from (f"firehose {name}" for name in names)
        if not answer["HasMoreDeliveryStreams"]:
            return
        after = {"ExclusiveStartDeliveryStreamName": names[-1]}


def _buses(target: Target) -> Iterator[str]:
    """Yield all buses but `default`, which every account has, their rules, and all archives."""
    events = target.client("events")
    for answer in _answers(events.list_event_buses):
        for bus in (entry["Name"] for entry in answer["EventBuses"]):
            if bus != "default":
                yield f"events bus {bus}"
            for page in events.get_paginator("list_rules").paginate(EventBusName=bus):
                yield from (f"events rule {rule['Name']} of {bus}" for rule in page["Rules"])
    for answer in _answers(events.list_archives):
        yield from (f"events archive {entry['ArchiveName']}" for entry in answer["Archives"])


def _answers(call: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield all answers of a call that boto3 does not paginate."""
    answer = call()
    yield answer
    while token := answer.get("NextToken"):
        answer = call(NextToken=token)
        yield answer
