"""Flow logs: all that they are created with, and their type in templates.

The local cloud has no traffic, so nothing is ever written to a flow log's destination.

- AWS::EC2::FlowLog
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-flowlog.html
- CreateFlowLogs, FlowLog
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_FlowLog.html
- "Flow log records" (the default format)
  https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
read 2026-11-21. Not in it: flow logs of transit gateways, of regional NAT gateways and into
another account.
"""

from __future__ import annotations

from typing import Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, Made, Properties, Record
from local_cloud.ground import Hook, find

_LOGS = Hook(EC2, "_flow_logs")
_VPCS = Hook(EC2, "_vpcs")
_SUBNETS = Hook(EC2, "_subnets")
_INTERFACES = Hook(EC2, "_network_interfaces")
HOOKS = (_LOGS, _VPCS, _SUBNETS, _INTERFACES)

DEFAULT_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} "
    "${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"
)
_TYPE = "AWS::EC2::FlowLog"
_MISSING = ("InvalidFlowLogId.NotFound", "flow log")
_KINDS = {
    "VPC": (_VPCS, "InvalidVpcId.NotFound"),
    "Subnet": (_SUBNETS, "InvalidSubnetId.NotFound"),
    "NetworkInterface": (_INTERFACES, "InvalidNetworkInterfaceId.NotFound"),
}
_INTERVALS = ("60", "600")
_TO_LOGS = "cloud-watch-logs"
_OPTIONS = ("FileFormat", "HiveCompatiblePartitions", "PerHourPartition")
_PLAIN = (
    "DeliverLogsPermissionArn",
    "LogDestination",
    "LogDestinationType",
    "LogFormat",
    "LogGroupName",
    "MaxAggregationInterval",
    "ResourceType",
    "TrafficType",
)
_NOT_DONE = ("DeliverCrossAccountRole",)


def create(given: Properties, resource: str) -> Record:
    """Make a flow log of a resource, of a template's properties or a request's."""
    ec2_calls.refuse(given, *_NOT_DONE)
    _check(given, resource)
    record: Record = {
        "FlowLogId": ec2_calls.new_id("fl"),
        "ResourceId": resource,
        "TrafficType": given["TrafficType"],
        "LogDestinationType": given.get("LogDestinationType") or _TO_LOGS,
        "LogDestination": given.get("LogDestination") or None,
        "LogGroupName": given.get("LogGroupName") or None,
        "DeliverLogsPermissionArn": given.get("DeliverLogsPermissionArn") or None,
        "LogFormat": given.get("LogFormat") or DEFAULT_FORMAT,
        "MaxAggregationInterval": int(given.get("MaxAggregationInterval") or 600),
        "DestinationOptions": given.get("DestinationOptions") or None,
        "FlowLogStatus": "ACTIVE",
        "CreationTime": ec2_calls.now(),
    }
    if any(_same(record, other) for other in find(_LOGS).values()):
        raise Refusal(
            "FlowLogAlreadyExists",
            "Error. There is an existing Flow Log with the same configuration and log destination.",
        )
    find(_LOGS)[record["FlowLogId"]] = record
    return record


def _check(given: Properties, resource: str) -> None:
    kind = given.get("ResourceType")
    if kind not in _KINDS:
        raise Refusal("InvalidParameterValue", f"ResourceType {kind} is not in the local cloud")
    store, code = _KINDS[str(kind)]
    ec2_calls.known(find(store), resource, code, str(kind))
    if not given.get("TrafficType"):
        raise Refusal("MissingParameter", "The request must include the TrafficType parameter")
    if str(given.get("MaxAggregationInterval") or 600) not in _INTERVALS:
        raise Refusal("InvalidParameterValue", "MaxAggregationInterval must be 60 or 600")
    if (given.get("LogDestinationType") or _TO_LOGS) == _TO_LOGS:
        _check_logs(given)
    elif not given.get("LogDestination"):
        raise Refusal("InvalidParameter", "LogDestination can't be empty")
    elif given.get("LogGroupName") or given.get("DeliverLogsPermissionArn"):
        raise Refusal(
            "InvalidParameter", "LogGroupName and DeliverLogsPermissionArn are for CloudWatch Logs"
        )


def _check_logs(given: Properties) -> None:
    if bool(given.get("LogGroupName")) == bool(given.get("LogDestination")):
        raise Refusal(
            "InvalidParameter", "Either LogGroupName or LogDestination must be given, not both"
        )
    if not given.get("DeliverLogsPermissionArn"):
        raise Refusal(
            "InvalidParameter",
            f"DeliverLogsPermissionArn can't be empty if LogDestinationType is {_TO_LOGS}.",
        )


def _same(one: Record, other: Record) -> bool:
    names = ("ResourceId", "TrafficType", "LogDestinationType", "LogDestination", "LogGroupName")
    return all(one[name] == other[name] for name in names)


def delete(id: str) -> None:
    """Delete a flow log."""
    ec2_calls.known(find(_LOGS), id, *_MISSING)
    find(_LOGS).pop(id)
    answers.untag(id)


def _fields(log: Record) -> Record:
    options = log["DestinationOptions"]
    return {
        "flowLogId": log["FlowLogId"],
        "resourceId": log["ResourceId"],
        "trafficType": log["TrafficType"],
        "logDestinationType": log["LogDestinationType"],
        "logDestination": log["LogDestination"],
        "logGroupName": log["LogGroupName"],
        "deliverLogsPermissionArn": log["DeliverLogsPermissionArn"],
        "deliverLogsStatus": "SUCCESS",
        "logFormat": log["LogFormat"],
        "maxAggregationInterval": log["MaxAggregationInterval"],
        "destinationOptions": options
        and {
            "fileFormat": options.get("FileFormat", "plain-text"),
            "hiveCompatiblePartitions": ec2_calls.yes(options.get("HiveCompatiblePartitions")),
            "perHourPartition": ec2_calls.yes(options.get("PerHourPartition")),
        },
        "flowLogStatus": log["FlowLogStatus"],
        "creationTime": log["CreationTime"],
        "tagSet": answers.tag_set(log["FlowLogId"]),
    }


def _values(log: Record) -> dict[str, list[str]]:
    return {
        "deliver-log-status": ["SUCCESS"],
        "flow-log-id": [log["FlowLogId"]],
        "log-destination-type": [log["LogDestinationType"]],
        "log-group-name": [log["LogGroupName"] or ""],
        "resource-id": [log["ResourceId"]],
        "traffic-type": [log["TrafficType"]],
    }


def _requested(parameters: Parameters) -> Properties:
    given: Properties = {name: answers.first(parameters, name) for name in _PLAIN + _NOT_DONE}
    options: dict[str, Any] = {
        name: answers.first(parameters, f"DestinationOptions.{name}") for name in _OPTIONS
    }
    if any(options.values()):
        given["DestinationOptions"] = {name: value for name, value in options.items() if value}
    return given


def _create(parameters: Parameters) -> str:
    given = _requested(parameters)
    made, failed = [], []
    for resource in answers.members(parameters, "ResourceId"):
        try:
            log = create(given, resource)["FlowLogId"]
        except Refusal as refused:
            error = {"code": refused.code, "message": refused.message}
            failed.append({"resourceId": resource, "error": error})
            continue
        ec2_calls.set_tags(log, parameters, "vpc-flow-log")
        made.append(log)
    return answers.elements({"flowLogIdSet": made, "unsuccessful": failed})


def _delete(parameters: Parameters) -> str:
    failed = []
    for named in answers.members(parameters, "FlowLogId"):
        try:
            delete(named)
        except Refusal as refused:
            error = {"code": refused.code, "message": refused.message}
            failed.append({"resourceId": named, "error": error})
    return answers.xml("unsuccessful", failed)


def _describe(parameters: Parameters) -> str:
    chosen = ec2_calls.asked_for(find(_LOGS), parameters, "FlowLogId", _MISSING, _values)
    return answers.xml("flowLogSet", [_fields(each) for each in chosen])


def _create_resource(_logical_id: str, properties: Properties, _stack: str) -> Made:
    log_id = str(create(properties, properties["ResourceId"])["FlowLogId"])
    ec2_calls.template_tags(log_id, properties)
    return log_id, {"Id": log_id}


def _update_resource(id: str, old: Properties, new: Properties) -> Made:
    ec2_calls.template_tags(id, new, old)
    return id, {"Id": id}


def _delete_resource(id: str, _properties: Properties) -> None:
    if id in find(_LOGS):
        delete(id)


def install() -> None:
    """Answer the calls, and register the type."""
    answers.answer("CreateFlowLogs", _create)
    answers.answer("DeleteFlowLogs", _delete)
    answers.answer("DescribeFlowLogs", _describe)
    answers.kind_of("fl-", "vpc-flow-log")
    ec2_calls.provide(
        _TYPE,
        create=_create_resource,
        update=_update_resource,
        delete=_delete_resource,
        replacing=(*_PLAIN, *_NOT_DONE, "DestinationOptions", "ResourceId"),
        tags=True,
    )
