"""The shell lines that remove what a stack has left, as the AWS CLI takes them.

Operations and parameters are those of the AWS CLI Command Reference, 2026-11-21. Never run on AWS.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from odyssey_cli.inventory import Thing


def _each(listing: str, query: str, action: str) -> str:
    """Return a line that does something with each of a listing's names, also if there are none."""
    return (
        f"for each in $({{aws}} {listing} --query {shlex.quote(query)} --output text); "
        f'do {{aws}} {action} "$each"; done'
    )


def _policies(kind: str) -> list[str]:
    """Return the lines that take all policies from a role, a group or a user."""
    who = f"--{kind}-name {{name}}"
    return [
        _each(
            f"iam list-attached-{kind}-policies {who}",
            "AttachedPolicies[].PolicyArn",
            f"iam detach-{kind}-policy {who} --policy-arn",
        ),
        _each(
            f"iam list-{kind}-policies {who}",
            "PolicyNames[]",
            f"iam delete-{kind}-policy {who} --policy-name",
        ),
    ]


# All versions and delete markers, a page of at most 1,000 at a time, which is as many as one call
# deletes ("DeleteObjects", Amazon S3 API Reference, 2026-11-21). It ends when a page is empty, and
# when one stays as it was, because nothing in it may be deleted.
_EMPTY = (
    "before=; while now=$({aws} s3api list-object-versions --bucket {name} --no-paginate "
    "--query '[Versions, DeleteMarkers][].{Key: Key, VersionId: VersionId}' --output json) "
    '&& [ "$now" != "[]" ] && [ "$now" != "$before" ]; do before=$now; '
    'printf \'{"Objects": %s}\' "$now" | {aws} s3api delete-objects --bucket {name} '
    "--delete file:///dev/stdin --query Errors; done"
)

# The order is that in which they can go: what is needed by others comes after them. Of a line,
# {aws} is the program with the options that lead to the target; {name}, {id} and {within} are the
# resource's, {account} its account's number. A line with one that is not known is left out.
_LINES: dict[str, list[str]] = {
    "AWS::CloudFormation::Stack": [
        "{aws} cloudformation update-termination-protection --no-enable-termination-protection "
        "--stack-name {name}",
        "{aws} cloudformation delete-stack --stack-name {name}",
    ],
    "AWS::Lambda::EventSourceMapping": ["{aws} lambda delete-event-source-mapping --uuid {name}"],
    "AWS::Lambda::Function": ["{aws} lambda delete-function --function-name {name}"],
    "AWS::ApiGateway::RestApi": ["{aws} apigateway delete-rest-api --rest-api-id {name}"],
    "AWS::ApiGatewayV2::Api": ["{aws} apigatewayv2 delete-api --api-id {name}"],
    "AWS::ApiGateway::Account": [
        "{aws} apigateway update-account --patch-operations "
        "op=replace,path=/cloudwatchRoleArn,value="
    ],
    "AWS::Events::Rule": [
        _each(
            "events list-targets-by-rule --event-bus-name {within} --rule {id}",
            "Targets[].Id",
            "events remove-targets --event-bus-name {within} --rule {id} --ids",
        ),
        "{aws} events delete-rule --event-bus-name {within} --name {id}",
    ],
    "AWS::Events::Archive": ["{aws} events delete-archive --archive-name {name}"],
    "AWS::Events::EventBus": ["{aws} events delete-event-bus --name {name}"],
    "AWS::KinesisFirehose::DeliveryStream": [
        "{aws} firehose delete-delivery-stream --delivery-stream-name {name}"
    ],
    "AWS::SNS::Subscription": ["{aws} sns unsubscribe --subscription-arn {name}"],
    "AWS::SNS::Topic": ["{aws} sns delete-topic --topic-arn {name}"],
    "AWS::SQS::Queue": ["{aws} sqs delete-queue --queue-url {name}"],
    "AWS::CloudWatch::Alarm": ["{aws} cloudwatch delete-alarms --alarm-names {name}"],
    "AWS::CloudWatch::Dashboard": ["{aws} cloudwatch delete-dashboards --dashboard-names {name}"],
    "AWS::Budgets::Budget": [
        "{aws} budgets delete-budget --account-id {account} --budget-name {name}"
    ],
    "AWS::DynamoDB::Table": [
        "{aws} dynamodb update-table --no-deletion-protection-enabled --table-name {name}",
        "{aws} dynamodb delete-table --table-name {name}",
    ],
    "AWS::S3::Bucket": [_EMPTY, "{aws} s3api delete-bucket --bucket {name}"],
    "AWS::Logs::LogGroup": ["{aws} logs delete-log-group --log-group-name {name}"],
    "AWS::SecretsManager::Secret": ["{aws} secretsmanager delete-secret --secret-id {name}"],
    "AWS::SSM::Parameter": ["{aws} ssm delete-parameter --name {name}"],
    "AWS::EC2::Instance": [
        "{aws} ec2 modify-instance-attribute --no-disable-api-termination --instance-id {name}",
        "{aws} ec2 terminate-instances --instance-ids {name}",
        "{aws} ec2 wait instance-terminated --instance-ids {name}",
    ],
    "AWS::EC2::InstanceConnectEndpoint": [
        "{aws} ec2 delete-instance-connect-endpoint --instance-connect-endpoint-id {name}"
    ],
    "AWS::EC2::NatGateway": [
        "{aws} ec2 delete-nat-gateway --nat-gateway-id {name}",
        "{aws} ec2 wait nat-gateway-deleted --nat-gateway-ids {name}",
    ],
    "AWS::EC2::EIP": ["{aws} ec2 release-address --allocation-id {id}"],
    "AWS::EC2::VPCEndpoint": ["{aws} ec2 delete-vpc-endpoints --vpc-endpoint-ids {name}"],
    "AWS::EC2::FlowLog": ["{aws} ec2 delete-flow-logs --flow-log-ids {name}"],
    "AWS::EC2::NetworkInterface": [
        "{aws} ec2 delete-network-interface --network-interface-id {name}"
    ],
    "AWS::EC2::Volume": ["{aws} ec2 delete-volume --volume-id {name}"],
    "AWS::EC2::Snapshot": ["{aws} ec2 delete-snapshot --snapshot-id {name}"],
    "AWS::EC2::KeyPair": ["{aws} ec2 delete-key-pair --key-name {name}"],
    "AWS::EC2::InternetGateway": [
        "{aws} ec2 detach-internet-gateway --internet-gateway-id {name} --vpc-id {within}",
        "{aws} ec2 delete-internet-gateway --internet-gateway-id {name}",
    ],
    "AWS::EC2::Subnet": ["{aws} ec2 delete-subnet --subnet-id {name}"],
    "AWS::EC2::RouteTable": ["{aws} ec2 delete-route-table --route-table-id {name}"],
    "AWS::EC2::NetworkAcl": ["{aws} ec2 delete-network-acl --network-acl-id {name}"],
    "AWS::EC2::SecurityGroup": ["{aws} ec2 delete-security-group --group-id {name}"],
    "AWS::EC2::VPC": ["{aws} ec2 delete-vpc --vpc-id {name}"],
    "AWS::IAM::InstanceProfile": [
        _each(
            "iam get-instance-profile --instance-profile-name {name}",
            "InstanceProfile.Roles[].RoleName",
            "iam remove-role-from-instance-profile --instance-profile-name {name} --role-name",
        ),
        "{aws} iam delete-instance-profile --instance-profile-name {name}",
    ],
    # What goes first: "Delete roles or instance profiles", IAM User Guide, 2026-11-21.
    "AWS::IAM::Role": [
        *_policies("role"),
        _each(
            "iam list-instance-profiles-for-role --role-name {name}",
            "InstanceProfiles[].InstanceProfileName",
            "iam remove-role-from-instance-profile --role-name {name} --instance-profile-name",
        ),
        "{aws} iam delete-role --role-name {name}",
    ],
    # A user of ours has no password and no device: only people who sign in have.
    "AWS::IAM::User": [
        _each(
            "iam list-access-keys --user-name {name}",
            "AccessKeyMetadata[].AccessKeyId",
            "iam delete-access-key --user-name {name} --access-key-id",
        ),
        _each(
            "iam list-groups-for-user --user-name {name}",
            "Groups[].GroupName",
            "iam remove-user-from-group --user-name {name} --group-name",
        ),
        *_policies("user"),
        "{aws} iam delete-user --user-name {name}",
    ],
    "AWS::IAM::Group": [
        _each(
            "iam get-group --group-name {name}",
            "Users[].UserName",
            "iam remove-user-from-group --group-name {name} --user-name",
        ),
        *_policies("group"),
        "{aws} iam delete-group --group-name {name}",
    ],
    "AWS::IAM::ManagedPolicy": [
        *(
            _each(
                "iam list-entities-for-policy --policy-arn {id}",
                f"Policy{kind.capitalize()}s[].{kind.capitalize()}Name",
                f"iam detach-{kind}-policy --policy-arn {{id}} --{kind}-name",
            )
            for kind in ("role", "user", "group")
        ),
        _each(
            "iam list-policy-versions --policy-arn {id}",
            "Versions[?!IsDefaultVersion].VersionId",
            "iam delete-policy-version --policy-arn {id} --version-id",
        ),
        "{aws} iam delete-policy --policy-arn {id}",
    ],
    # Last: what is encrypted with it cannot be read any more.
    "AWS::KMS::Key": ["{aws} kms schedule-key-deletion --pending-window-in-days 7 --key-id {name}"],
}
_PLACE = {kind: place for place, kind in enumerate(_LINES)}


def lines(thing: Thing, *, aws: str, account: str) -> list[str]:
    """Return the shell lines that remove a resource, in their order; [] if none are known here.

    Args:
        thing: what.
        aws: the AWS CLI with the options that lead to where it is, as a shell takes them.
        account: number of the account that it is in.
    """
    values = {"name": thing.name, "id": thing.id, "within": thing.within, "account": account}
    known = {name: shlex.quote(value) for name, value in values.items() if value} | {"aws": aws}
    return [
        re.sub(r"\{(\w+)\}", lambda found: known[found[1]], line)
        for line in _LINES.get(thing.type, [])
        if known.keys() >= set(re.findall(r"\{(\w+)\}", line))
    ]


def place(thing: Thing) -> int:
    """Return a resource's place in the order in which they can go, counted from 0."""
    return _PLACE.get(thing.type, len(_PLACE))


def known() -> set[str]:
    """Return the types that can be removed."""
    return set(_LINES)
