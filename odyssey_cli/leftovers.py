"""What is known of each type of resource that may outlive its stack: why, its price, its end.

The prices are for us-east-1, looked up on 2026-11-21, and where bench/prices.py has them, from
there: it says how each was confirmed.
"""

from __future__ import annotations

import shlex

from bench.prices import PRICES

# Why prod keeps resources of a type when their stack is destroyed. A test holds this against the
# templates: every type that a prod stack retains is here, and no other.
KEPT = {
    "AWS::DynamoDB::Table": "it holds what was counted and stored; no other copy of it is kept",
    "AWS::KMS::Key": "without it nothing that is kept can be decrypted any more",
    "AWS::Logs::LogGroup": "a year of logs, to answer what happened before the end",
    "AWS::Logs::LogStream": "it is a part of a log group that is kept",
    "AWS::S3::Bucket": "it holds every object that was stored, and what was overwritten of late",
    "AWS::SQS::Queue": "it may hold messages that nobody has dealt with; they stay two weeks",
    "AWS::SecretsManager::Secret": "what it holds was typed in by a person, and is nowhere else",
}


def _price(name: str, what: str) -> str:
    return f"{PRICES[name].usd:g} USD {what}"


# What resources cost that nobody uses. Types that are not here cost nothing then.
_COSTS = {
    "AWS::CloudWatch::Alarm": _price("alarm", "a month"),
    "AWS::CloudWatch::Dashboard": _price("dashboard", "a month"),
    "AWS::DynamoDB::Table": _price("stored", "a GB and month"),
    "AWS::EC2::EIP": _price("address", "an hour"),
    "AWS::EC2::Instance": "its price an hour, and its volume's",
    "AWS::EC2::NatGateway": _price("nat", "an hour"),
    # "Amazon EBS pricing", 2026-11-21, not confirmed.
    "AWS::EC2::Snapshot": "0.05 USD a GB and month",
    "AWS::EC2::Volume": _price("gp3", "a GB and month"),
    "AWS::Events::Archive": _price("archived", "a GB and month"),
    "AWS::KMS::Key": _price("key", "a month"),
    # "Amazon CloudWatch pricing", 2026-11-21, not confirmed; stored bytes are compressed.
    "AWS::Logs::LogGroup": "0.03 USD a GB and month",
    "AWS::S3::Bucket": _price("s3_stored", "a GB and month"),
    "AWS::SecretsManager::Secret": _price("secret", "a month"),
}
_NOTHING = "nothing"
_UNKNOWN = "not known here"

_REMOVALS = {
    "AWS::ApiGateway::Account": (
        "aws apigateway update-account --patch-operations op=replace,path=/cloudwatchRoleArn,value="
    ),
    "AWS::ApiGateway::RestApi": "aws apigateway delete-rest-api --rest-api-id {}",
    "AWS::ApiGatewayV2::Api": "aws apigatewayv2 delete-api --api-id {}",
    "AWS::Budgets::Budget": "aws budgets delete-budget --account-id ACCOUNT --budget-name {}",
    "AWS::CloudFormation::Stack": "aws cloudformation delete-stack --stack-name {}",
    "AWS::CloudWatch::Alarm": "aws cloudwatch delete-alarms --alarm-names {}",
    "AWS::CloudWatch::Dashboard": "aws cloudwatch delete-dashboards --dashboard-names {}",
    "AWS::DynamoDB::Table": (
        "aws dynamodb update-table --table-name {} --no-deletion-protection-enabled && "
        "aws dynamodb delete-table --table-name {}"
    ),
    "AWS::EC2::EIP": "aws ec2 release-address --public-ip {}",
    "AWS::EC2::FlowLog": "aws ec2 delete-flow-logs --flow-log-ids {}",
    "AWS::EC2::Instance": "aws ec2 terminate-instances --instance-ids {}",
    "AWS::EC2::InstanceConnectEndpoint": (
        "aws ec2 delete-instance-connect-endpoint --instance-connect-endpoint-id {}"
    ),
    "AWS::EC2::InternetGateway": "aws ec2 delete-internet-gateway --internet-gateway-id {}",
    "AWS::EC2::KeyPair": "aws ec2 delete-key-pair --key-name {}",
    "AWS::EC2::NatGateway": "aws ec2 delete-nat-gateway --nat-gateway-id {}",
    "AWS::EC2::NetworkAcl": "aws ec2 delete-network-acl --network-acl-id {}",
    "AWS::EC2::NetworkInterface": "aws ec2 delete-network-interface --network-interface-id {}",
    "AWS::EC2::RouteTable": "aws ec2 delete-route-table --route-table-id {}",
    "AWS::EC2::SecurityGroup": "aws ec2 delete-security-group --group-id {}",
    "AWS::EC2::Snapshot": "aws ec2 delete-snapshot --snapshot-id {}",
    "AWS::EC2::Subnet": "aws ec2 delete-subnet --subnet-id {}",
    "AWS::EC2::VPC": "aws ec2 delete-vpc --vpc-id {}",
    "AWS::EC2::VPCEndpoint": "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {}",
    "AWS::EC2::Volume": "aws ec2 delete-volume --volume-id {}",
    "AWS::Events::Archive": "aws events delete-archive --archive-name {}",
    "AWS::Events::EventBus": "aws events delete-event-bus --name {}",
    "AWS::IAM::Group": "aws iam delete-group --group-name {}",
    "AWS::IAM::InstanceProfile": ("aws iam delete-instance-profile --instance-profile-name {}"),
    "AWS::IAM::ManagedPolicy": "aws iam delete-policy --policy-arn arn:aws:iam::ACCOUNT:policy/{}",
    # Its policies go first: "Delete roles or instance profiles", IAM User Guide, 2026-11-21.
    "AWS::IAM::Role": (
        "for p in $(aws iam list-role-policies --role-name {} --query PolicyNames --output text); "
        "do aws iam delete-role-policy --role-name {} --policy-name $p; done; "
        "aws iam delete-role --role-name {}"
    ),
    "AWS::IAM::User": "aws iam delete-user --user-name {}",
    "AWS::KMS::Key": "aws kms schedule-key-deletion --pending-window-in-days 7 --key-id {}",
    "AWS::KinesisFirehose::DeliveryStream": (
        "aws firehose delete-delivery-stream --delivery-stream-name {}"
    ),
    "AWS::Lambda::EventSourceMapping": "aws lambda delete-event-source-mapping --uuid {}",
    "AWS::Lambda::Function": "aws lambda delete-function --function-name {}",
    "AWS::Logs::LogGroup": "aws logs delete-log-group --log-group-name {}",
    # `aws s3 rb --force` leaves the versions of objects ("rb", AWS CLI Command Reference,
    # 2026-11-21), and ours keep them.
    "AWS::S3::Bucket": "the S3 console's Empty (it deletes versions, too); then aws s3 rb s3://{}",
    "AWS::SNS::Subscription": "aws sns unsubscribe --subscription-arn {}",
    "AWS::SNS::Topic": "aws sns delete-topic --topic-arn {}",
    "AWS::SQS::Queue": "aws sqs delete-queue --queue-url {}",
    "AWS::SSM::Parameter": "aws ssm delete-parameter --name {}",
    "AWS::SecretsManager::Secret": "aws secretsmanager delete-secret --secret-id {}",
}


def costs(type: str) -> str:
    """Return what a resource of a type costs that nobody uses."""
    return _COSTS.get(type, _NOTHING if type in _REMOVALS or type == _RULE else _UNKNOWN)


_RULE = "AWS::Events::Rule"


def removal(type: str, name: str) -> str:
    """Return the command that removes a resource, "" if none is known here."""
    if type == _RULE:
        bus, _, rule = name.partition("|")
        where = f"--event-bus-name {shlex.quote(bus)}"
        rule = shlex.quote(rule)
        return (
            f"aws events remove-targets {where} --rule {rule} --ids $(aws events "
            f"list-targets-by-rule {where} --rule {rule} --query 'Targets[].Id' --output text); "
            f"aws events delete-rule {where} --name {rule}"
        )
    return _REMOVALS.get(type, "").replace("{}", shlex.quote(name))


def known() -> set[str]:
    """Return the types that this module says something of."""
    return {*_REMOVALS, _RULE}
