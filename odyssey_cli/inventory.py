"""Everything that exists on a local cloud or in an account, so that leftovers show.

It only reads. Types are CloudFormation's, also for what no stack makes, such as a snapshot.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from odyssey_cli.target import Target

# Type, service, paginated call, list in its answer, name in an entry ("" where entries are names).
_LISTINGS = [
    ("AWS::ApiGateway::RestApi", "apigateway", "get_rest_apis", "items", "id"),
    ("AWS::ApiGatewayV2::Api", "apigatewayv2", "get_apis", "Items", "ApiId"),
    ("AWS::CloudWatch::Alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    (
        "AWS::CloudWatch::Dashboard",
        "cloudwatch",
        "list_dashboards",
        "DashboardEntries",
        "DashboardName",
    ),
    ("AWS::DynamoDB::Table", "dynamodb", "list_tables", "TableNames", ""),
    ("AWS::EC2::FlowLog", "ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    (
        "AWS::EC2::InstanceConnectEndpoint",
        "ec2",
        "describe_instance_connect_endpoints",
        "InstanceConnectEndpoints",
        "InstanceConnectEndpointId",
    ),
    (
        "AWS::EC2::InternetGateway",
        "ec2",
        "describe_internet_gateways",
        "InternetGateways",
        "InternetGatewayId",
    ),
    ("AWS::EC2::NatGateway", "ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("AWS::EC2::NetworkAcl", "ec2", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
    (
        "AWS::EC2::NetworkInterface",
        "ec2",
        "describe_network_interfaces",
        "NetworkInterfaces",
        "NetworkInterfaceId",
    ),
    ("AWS::EC2::RouteTable", "ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("AWS::EC2::SecurityGroup", "ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("AWS::EC2::Subnet", "ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("AWS::EC2::Volume", "ec2", "describe_volumes", "Volumes", "VolumeId"),
    ("AWS::EC2::VPCEndpoint", "ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("AWS::EC2::VPC", "ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("AWS::IAM::Group", "iam", "list_groups", "Groups", "GroupName"),
    (
        "AWS::IAM::InstanceProfile",
        "iam",
        "list_instance_profiles",
        "InstanceProfiles",
        "InstanceProfileName",
    ),
    ("AWS::IAM::Role", "iam", "list_roles", "Roles", "RoleName"),
    ("AWS::IAM::User", "iam", "list_users", "Users", "UserName"),
    (
        "AWS::Lambda::EventSourceMapping",
        "lambda",
        "list_event_source_mappings",
        "EventSourceMappings",
        "UUID",
    ),
    ("AWS::Lambda::Function", "lambda", "list_functions", "Functions", "FunctionName"),
    ("AWS::Logs::LogGroup", "logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("AWS::SNS::Subscription", "sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    ("AWS::SNS::Topic", "sns", "list_topics", "Topics", "TopicArn"),
    ("AWS::SQS::Queue", "sqs", "list_queues", "QueueUrls", ""),
    ("AWS::SSM::Parameter", "ssm", "describe_parameters", "Parameters", "Name"),
]
# Of stacks that were never whole or are not any more. One whose update failed serves as before
# ("Stack status codes", AWS CloudFormation User Guide, 2026-11-21).
_NEVER_TO_BE_USED = frozenset(
    {
        "CREATE_FAILED",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "DELETE_FAILED",
        "REVIEW_IN_PROGRESS",
    }
)
# In place of its ARN, of a subscription that nobody has confirmed: nothing can delete it, and it
# goes by itself after some days (from memory).
_UNCONFIRMED = "PendingConfirmation"


@dataclass(frozen=True, order=True)
class Thing:
    """One resource.

    Attributes:
        type: its CloudFormation type.
        name: what the service calls it.
        id: what else its removal asks for, such as an address's allocation id; "" for most.
        within: the VPC, host or event bus that it is a part of, "" if of none.
        is_part: whether AWS made it with its VPC, so that it goes with that and not alone.
        state: "" for a resource that is in use; why it is not, such as DELETE_FAILED of a stack.
        tags: those that its listing told; other calls may tell more.
    """

    type: str
    name: str
    id: str = field(default="", compare=False)
    within: str = field(default="", compare=False)
    is_part: bool = field(default=False, compare=False)
    state: str = field(default="", compare=False)
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def is_going(self) -> bool:
        """Whether it is to be deleted on a date that is set."""
        return self.state.startswith("goes on ")

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


def everything(target: Target, unseen: list[str] | None = None) -> set[Thing]:
    """Return every resource of the kinds our stacks have, and of what they leave.

    Args:
        target: where.
        unseen: gets a line for each listing that was refused; None to raise instead.

    Raises:
        botocore.exceptions.ClientError: a listing was refused, and `unseen` is None.
    """
    # Botocore is slow to import.
    from botocore.exceptions import ClientError  # noqa: PLC0415

    found: set[Thing] = set()
    for what, listing in _listings().items():
        try:
            found.update(listing(target))
        except ClientError as error:
            if unseen is None:
                raise
            unseen.append(f"{what}: {error}")
    return found


def kinds() -> int:
    """Return how many listings `everything` asks for."""
    return len(_listings())


def _listings() -> dict[str, Callable[[Target], Iterator[Thing]]]:
    plain = {
        row[0]: functools.partial(_paginated, type=row[0], service=row[1], call=row[2], key=row[3],
                                  name=row[4])
        for row in _LISTINGS
    }  # fmt: skip
    return plain | {
        "AWS::ApiGateway::Account": _log_role,
        "AWS::Budgets::Budget": _budgets,
        "AWS::CloudFormation::Stack": _stacks,
        "AWS::EC2::EIP": _addresses,
        "AWS::EC2::Instance": _hosts,
        "AWS::EC2::KeyPair": _key_pairs,
        "AWS::EC2::Snapshot": _snapshots,
        "AWS::Events::Archive": _archives,
        "AWS::Events::EventBus": _buses,
        "AWS::IAM::ManagedPolicy": _policies,
        "AWS::KinesisFirehose::DeliveryStream": _delivery_streams,
        "AWS::KMS::Key": _keys,
        "AWS::S3::Bucket": _buckets,
        "AWS::SecretsManager::Secret": _secrets,
    }


def tags_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags in an answer of any service: a list of pairs, or an object."""
    tags = entry.get("Tags") or entry.get("tags") or entry.get("TagSet") or {}
    if isinstance(tags, dict):
        return {str(name): str(value) for name, value in tags.items()}
    return {
        tag.get("Key", tag.get("TagKey")): tag.get("Value", tag.get("TagValue")) for tag in tags
    }


def _paginated(
    target: Target, *, type: str, service: str, call: str, key: str, name: str
) -> Iterator[Thing]:
    # SQS tells 1,000 and no more to who does not ask for pages ("ListQueues", Amazon SQS API
    # Reference, 2026-11-21).
    paged = {"PaginationConfig": {"PageSize": 1_000}} if service == "sqs" else {}
    for page in target.client(service).get_paginator(call).paginate(**paged):
        for entry in page.get(key, []):
            if not name:
                yield Thing(type, str(entry))
                continue
            if entry.get("State") == "deleted":  # a NAT gateway's record outlives it by an hour
                continue
            if entry[name] == _UNCONFIRMED:
                continue
            at = [
                each.get("InstanceId") or each.get("VpcId") for each in entry.get("Attachments", [])
            ]
            within = next((each for each in at if each), entry.get("VpcId", ""))
            yield Thing(
                type,
                str(entry[name]),
                within=within,
                is_part=_is_part_of_vpc(entry),
                tags=tags_of(entry),
            )


def _is_part_of_vpc(entry: Mapping[str, Any]) -> bool:
    """Say whether it is the main route table, default group or default ACL of a VPC."""
    is_main = any(each.get("Main") for each in entry.get("Associations", []))
    is_default_group = "GroupId" in entry and entry.get("GroupName") == "default"
    is_default_acl = "NetworkAclId" in entry and entry.get("IsDefault") is True
    return is_main or is_default_group or is_default_acl


def _stacks(target: Target) -> Iterator[Thing]:
    for page in target.client("cloudformation").get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            status = stack["StackStatus"]
            if status != "DELETE_COMPLETE":
                yield Thing(
                    "AWS::CloudFormation::Stack",
                    stack["StackName"],
                    state=status if status in _NEVER_TO_BE_USED else "",
                    tags=tags_of(stack),
                )


def _policies(target: Target) -> Iterator[Thing]:
    for page in target.client("iam").get_paginator("list_policies").paginate(Scope="Local"):
        for policy in page["Policies"]:
            yield Thing("AWS::IAM::ManagedPolicy", policy["PolicyName"], id=policy["Arn"])


def _buckets(target: Target) -> Iterator[Thing]:
    for bucket in target.client("s3").list_buckets()["Buckets"]:
        yield Thing("AWS::S3::Bucket", bucket["Name"])


def _log_role(target: Target) -> Iterator[Thing]:
    """Yield the role with which API Gateway logs, a setting of the account."""
    if role := target.client("apigateway").get_account().get("cloudwatchRoleArn"):
        yield Thing("AWS::ApiGateway::Account", role)


def _hosts(target: Target) -> Iterator[Thing]:
    """Yield all instances but those that only their record is left of."""
    for page in target.client("ec2").get_paginator("describe_instances").paginate():
        for host in (each for group in page["Reservations"] for each in group["Instances"]):
            if host["State"]["Name"] != "terminated":
                yield Thing(
                    "AWS::EC2::Instance",
                    host["InstanceId"],
                    within=host.get("VpcId", ""),
                    tags=tags_of(host),
                )


def _addresses(target: Target) -> Iterator[Thing]:
    for each in target.client("ec2").describe_addresses()["Addresses"]:
        yield Thing("AWS::EC2::EIP", each["PublicIp"], id=each["AllocationId"], tags=tags_of(each))


def _key_pairs(target: Target) -> Iterator[Thing]:
    for each in target.client("ec2").describe_key_pairs()["KeyPairs"]:
        # The id is what the parameter with the private key is named after.
        yield Thing(
            "AWS::EC2::KeyPair", each["KeyName"], within=each["KeyPairId"], tags=tags_of(each)
        )


def _snapshots(target: Target) -> Iterator[Thing]:
    for page in (
        target.client("ec2").get_paginator("describe_snapshots").paginate(OwnerIds=["self"])
    ):
        for each in page.get("Snapshots", []):
            yield Thing("AWS::EC2::Snapshot", each["SnapshotId"], tags=tags_of(each))


def _budgets(target: Target) -> Iterator[Thing]:
    budgets = target.client("budgets")
    for page in budgets.get_paginator("describe_budgets").paginate(AccountId=target.account):
        for each in page.get("Budgets", []):
            yield Thing("AWS::Budgets::Budget", each["BudgetName"])


def _keys(target: Target) -> Iterator[Thing]:
    """Yield the customer-managed keys; those of AWS's are nobody's to delete."""
    kms = target.client("kms")
    for page in kms.get_paginator("list_keys").paginate():
        for each in page["Keys"]:
            about = kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"]
            if about["KeyManager"] == "CUSTOMER":
                going = about.get("DeletionDate")
                state = f"goes on {going:%Y-%m-%d}" if going else ""
                yield Thing("AWS::KMS::Key", each["KeyId"], state=state)


def _secrets(target: Target) -> Iterator[Thing]:
    listing = target.client("secretsmanager").get_paginator("list_secrets")
    for page in listing.paginate(IncludePlannedDeletion=True):
        for each in page["SecretList"]:
            going = each.get("DeletedDate")
            state = f"goes on {going:%Y-%m-%d}" if going else ""
            yield Thing("AWS::SecretsManager::Secret", each["ARN"], state=state, tags=tags_of(each))


def _delivery_streams(target: Target) -> Iterator[Thing]:
    firehose = target.client("firehose")
    after: dict[str, Any] = {}
    while True:
        answer = firehose.list_delivery_streams(**after)
        names = answer["DeliveryStreamNames"]
        yield from (Thing("AWS::KinesisFirehose::DeliveryStream", name) for name in names)
        if not answer["HasMoreDeliveryStreams"]:
            return
        after = {"ExclusiveStartDeliveryStreamName": names[-1]}


def _buses(target: Target) -> Iterator[Thing]:
    """Yield all buses but `default`, which every account has, and the rules of all."""
    events = target.client("events")
    for answer in _answers(events.list_event_buses):
        for bus in (entry["Name"] for entry in answer["EventBuses"]):
            if bus != "default":
                yield Thing("AWS::Events::EventBus", bus)
            for page in events.get_paginator("list_rules").paginate(EventBusName=bus):
                for rule in page["Rules"]:
                    # Rules of AWS services' own are theirs.
                    if "ManagedBy" not in rule:
                        name = rule["Name"]
                        yield Thing("AWS::Events::Rule", f"{bus}|{name}", id=name, within=bus)


def _archives(target: Target) -> Iterator[Thing]:
    for answer in _answers(target.client("events").list_archives):
        for entry in answer["Archives"]:
            yield Thing("AWS::Events::Archive", entry["ArchiveName"])


def _answers(call: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield all answers of a call that boto3 does not paginate."""
    answer = call()
    yield answer
    while token := answer.get("NextToken"):
        answer = call(NextToken=token)
        yield answer
