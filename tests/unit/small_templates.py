"""A small template that keeps every rule, to be broken one property at a time."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from odyssey_cli.policy.tagging import UNTAGGABLE
from odyssey_cli.policy.templates import Template

Resource = dict[str, Any]
Resources = dict[str, Resource]
TOPIC = {"Ref": "AlarmTopic"}
DAY = 24 * 60 * 60
PARAMETERS = {"AlarmTopic": {"Default": "/odyssey/alarm-topic-arn"}}


def ref(logical_id: str) -> Resource:
    return {"Ref": logical_id}


def arn(logical_id: str, attribute: str = "Arn") -> Resource:
    return {"Fn::GetAtt": [logical_id, attribute]}


class Small:
    """A template in the making."""

    def __init__(self, stage: str) -> None:
        self.is_prod = stage == "prod"
        self.stage = stage
        self.resources: Resources = {}
        self.keys = {"KmsMasterKeyId": arn("Key")} if self.is_prod else {}
        self.tags = {"project": "aws-odyssey", "stack": "Shop", "stage": stage}

    def template(self) -> Template:
        body = {"Parameters": PARAMETERS, "Resources": self.resources, "Outputs": {}}
        return Template(
            "Shop", copy.deepcopy(body), self.stage, protected=self.is_prod, tags=self.tags
        )

    def add(self, logical_id: str, kind: str, *, holds_data: bool = False, **given: Any) -> None:
        if kind not in UNTAGGABLE:
            more = given.pop("Tags", {})
            given["Tags"] = [{"Key": k, "Value": v} for k, v in (self.tags | more).items()]
            # Not all types have a list of them.
            if kind.startswith("AWS::ApiGatewayV2::"):
                given["Tags"] = self.tags
        made: Resource = {"Type": kind, "Properties": given}
        if holds_data:
            policy = "Retain" if self.is_prod else "Delete"
            made |= {"DeletionPolicy": policy, "UpdateReplacePolicy": policy}
        self.resources[logical_id] = made

    def key(self, *users: str) -> None:
        """A key that services may use on behalf of this account."""
        if self.is_prod:
            statements = [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": user},
                    "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                    "Resource": "*",
                    "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
                }
                for user in users
            ]
            self.add(
                "Key", "AWS::KMS::Key", holds_data=True,
                EnableKeyRotation=True, KeyPolicy={"Statement": statements},
            )  # fmt: skip

    def alarm(self, id: str, metric: str, statistic: str, threshold: float, **of: object) -> None:
        namespace, _, name = metric.rpartition("/")
        [(dimension, value)] = of.items()
        falls = name == "ExecuteProcessing.Success"
        self.add(
            id, "AWS::CloudWatch::Alarm",
            Namespace=namespace, MetricName=name, Statistic=statistic, Threshold=threshold,
            Dimensions=[{"Name": dimension, "Value": value}],
            ComparisonOperator="LessThanThreshold"
            if falls
            else "GreaterThanOrEqualToThreshold",
            AlarmActions=[TOPIC], AlarmDescription="Something is wrong.",
            Period=300, EvaluationPeriods=1, TreatMissingData="notBreaching",
        )  # fmt: skip

    def tls(self, logical_id: str, kind: str, names: str, action: str, *more: Resource) -> None:
        bucket = kind == "AWS::S3::BucketPolicy"
        own = [arn(logical_id), {"Fn::Join": ["", [arn(logical_id), "/*"]]}] if bucket else None
        denied = {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": action,
            "Resource": own or (ref if "Topic" in kind else arn)(logical_id),
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        applies_to: Any = ref(logical_id) if bucket else [ref(logical_id)]
        self.add(
            f"{logical_id}Policy", kind,
            **{names: applies_to}, PolicyDocument={"Statement": [denied, *more]},
        )  # fmt: skip

    def queue(
        self, id: str, *, days: int, sender: tuple[str, Any] | None = None, **more: Any
    ) -> None:
        own = {"SqsManagedSseEnabled": True} if not self.is_prod else {}
        self.add(
            id, "AWS::SQS::Queue", holds_data=True,
            MessageRetentionPeriod=days * DAY, **self.keys, **own, **more,
        )  # fmt: skip
        allowed = []
        if sender:
            service, source = sender
            allowed.append(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": service},
                    "Action": "sqs:SendMessage",
                    "Resource": arn(id),
                    "Condition": {"ArnEquals": {"aws:SourceArn": source}},
                }
            )
        self.tls(id, "AWS::SQS::QueuePolicy", "Queues", "sqs:*", *allowed)

    def failures(self, id: str, sender: tuple[str, Any] | None = None) -> None:
        """A queue that nothing consumes, with its alarm."""
        self.queue(id, days=14, sender=sender)
        depth = "AWS/SQS/ApproximateNumberOfMessagesVisible"
        self.alarm(f"{id}Waiting", depth, "Maximum", 1, QueueName=arn(id, "QueueName"))

    def work(self, id: str, sender: tuple[str, Any] | None = None) -> None:
        """A queue that is consumed, with its dead-letter queue and its alarm."""
        self.failures(f"{id}Dead", sender)
        policy = {"deadLetterTargetArn": arn(f"{id}Dead"), "maxReceiveCount": 5}
        self.queue(id, days=4, sender=sender, VisibilityTimeout=61, RedrivePolicy=policy)
        age = "AWS/SQS/ApproximateAgeOfOldestMessage"
        self.alarm(f"{id}Behind", age, "Maximum", 3600, QueueName=arn(id, "QueueName"))

    def function(self, id: str, *sends_to: str, **allowed: Any) -> None:
        self.logs(f"{id}Logs")
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
        self.add(
            f"{id}Role", "AWS::IAM::Role",
            AssumeRolePolicyDocument={"Statement": [trust | {"Action": "sts:AssumeRole"}]},
        )  # fmt: skip
        statements = [
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn(queue)}
            for queue in sends_to
        ]
        statements += [
            {"Effect": "Allow", "Action": action.replace("_", ":"), "Resource": resource}
            for action, resource in allowed.items()
        ]
        if self.is_prod:
            use = ["kms:Decrypt", "kms:GenerateDataKey"]
            statements.append({"Effect": "Allow", "Action": use, "Resource": arn("Key")})
        statements.append({"Effect": "Allow", "Action": "xray:PutTraceSegments", "Resource": "*"})
        self.add(
            f"{id}Policy", "AWS::IAM::Policy",
            Roles=[ref(f"{id}Role")], PolicyDocument={"Statement": statements},
        )  # fmt: skip
        self.add(
            id, "AWS::Lambda::Function",
            Role=arn(f"{id}Role"), Timeout=10, LoggingConfig={"LogGroup": ref(f"{id}Logs")},
        )  # fmt: skip
        self.alarm(f"{id}Throttled", "AWS/Lambda/Throttles", "Sum", 1, FunctionName=ref(id))

    def logs(self, id: str) -> None:
        key = {"KmsKeyId": arn("Key")} if self.is_prod else {}
        days = 365 if self.is_prod else 7
        self.add(id, "AWS::Logs::LogGroup", holds_data=True, RetentionInDays=days, **key)

    def attempts(self, function: str, destination: str) -> None:
        self.add(
            f"{function}Attempts", "AWS::Lambda::EventInvokeConfig",
            FunctionName=ref(function), Qualifier="$LATEST",
            MaximumRetryAttempts=2, MaximumEventAgeInSeconds=3600,
            DestinationConfig={"OnFailure": {"Destination": arn(destination)}},
        )  # fmt: skip

    def permit(self, function: str, service: str, source: Any) -> None:
        self.add(
            f"{function}Permission", "AWS::Lambda::Permission",
            Action="lambda:InvokeFunction", FunctionName=arn(function),
            Principal=service, SourceArn=source,
        )  # fmt: skip

    def bucket(self, id: str) -> None:
        by_default = (
            {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn("Key")}
            if self.is_prod
            else {"SSEAlgorithm": "AES256"}
        )
        rule = {"ServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": self.is_prod}
        closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls")
        self.add(
            id, "AWS::S3::Bucket", holds_data=True,
            BucketEncryption={"ServerSideEncryptionConfiguration": [rule]},
            PublicAccessBlockConfiguration=dict.fromkeys((*closed, "RestrictPublicBuckets"), True),
            VersioningConfiguration={"Status": "Enabled"},
            Tags={} if self.is_prod else {"odyssey:empty-on-delete": "true"},
        )  # fmt: skip
        self.tls(id, "AWS::S3::BucketPolicy", "Bucket", "s3:*")
        if not self.is_prod:
            self.function("Emptier")
            self.add(
                f"{id}Emptied", "Custom::EmptyBucket",
                ServiceToken=arn("Emptier"), ServiceTimeout="900", Bucket=ref(id),
            )  # fmt: skip

    def delivery_stream(self, id: str, bucket: str, function: str) -> None:
        self.logs(f"{id}Errors")
        self.add(f"{id}ErrorStream", "AWS::Logs::LogStream", holds_data=True)
        own: Resource = {"KeyType": "AWS_OWNED_CMK"}
        objects: Resource = {}
        if self.is_prod:
            own = {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": arn("Key")}
            with_key = {"KMSEncryptionConfig": {"AWSKMSKeyARN": arn("Key")}}
            objects = {"EncryptionConfiguration": with_key}
        parameters = {"LambdaArn": arn(function), "NumberOfRetries": "3"}
        listed = [{"ParameterName": n, "ParameterValue": v} for n, v in parameters.items()]
        logging = {
            "Enabled": True,
            "LogGroupName": ref(f"{id}Errors"),
            "LogStreamName": ref(f"{id}ErrorStream"),
        }
        self.add(
            id, "AWS::KinesisFirehose::DeliveryStream", DeliveryStreamType="DirectPut",
            DeliveryStreamEncryptionConfigurationInput=own,
            ExtendedS3DestinationConfiguration={
                "BucketARN": arn(bucket), "Prefix": "good/", "ErrorOutputPrefix": "errors/",
                "CloudWatchLoggingOptions": logging, **objects,
                "ProcessingConfiguration": {
                    "Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": listed}],
                },
            },
        )  # fmt: skip
        fresh, success = "DeliveryToS3.DataFreshness", "ExecuteProcessing.Success"
        of: Resource = {"DeliveryStreamName": ref(id)}
        self.alarm(f"{id}Behind", f"AWS/Firehose/{fresh}", "Maximum", 900, **of)
        self.alarm(f"{id}Failed", f"AWS/Firehose/{success}", "Average", 1, **of)


def shop(stage: str) -> Template:
    """Return a template with each of the usual edges, which keeps every rule."""
    small = Small(stage)
    small.key("sns.amazonaws.com", "events.amazonaws.com", "s3.amazonaws.com")
    # Table, to a function.
    encryption: Resource = {"SSEEnabled": small.is_prod}
    if small.is_prod:
        encryption["KMSMasterKeyId"] = arn("Key")
    small.add(
        "Orders", "AWS::DynamoDB::Table", holds_data=True,
        SSESpecification=encryption, DeletionProtectionEnabled=small.is_prod,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": small.is_prod},
    )  # fmt: skip
    small.failures("Unbilled")
    small.function("Biller", "Unbilled")
    small.add(
        "Billing", "AWS::Lambda::EventSourceMapping",
        EventSourceArn=arn("Orders", "StreamArn"), FunctionName=ref("Biller"),
        MaximumRetryAttempts=5, MaximumRecordAgeInSeconds=43200, BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": arn("Unbilled")}},
    )  # fmt: skip
    age = "AWS/Lambda/IteratorAge"
    small.alarm("BillerBehind", age, "Maximum", 3600000, FunctionName=ref("Biller"))
    # Rule, to a queue, to a function.
    small.add(
        "Paid", "AWS::Events::Rule",
        EventPattern={"detail-type": ["paid"]},
        Targets=[
            {
                "Id": "0", "Arn": arn("Parcels"), "DeadLetterConfig": {"Arn": arn("ParcelsDead")},
                "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
            }
        ],
    )  # fmt: skip
    small.work("Parcels", ("events.amazonaws.com", arn("Paid")))
    small.function("Packer", sqs_ReceiveMessage=arn("Parcels"))
    small.add(
        "Packing", "AWS::Lambda::EventSourceMapping",
        EventSourceArn=arn("Parcels"), FunctionName=ref("Packer"),
        MaximumBatchingWindowInSeconds=1, FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 10},
    )  # fmt: skip
    # Topic, to a function.
    small.add("News", "AWS::SNS::Topic", KmsMasterKeyId=small.keys.get("KmsMasterKeyId", "alias"))
    small.tls("News", "AWS::SNS::TopicPolicy", "Topics", "sns:Publish")
    small.failures("Unread", ("sns.amazonaws.com", ref("News")))
    small.function("Reader", "Unread")
    small.attempts("Reader", "Unread")
    small.permit("Reader", "sns.amazonaws.com", ref("News"))
    small.add(
        "ReaderNews", "AWS::SNS::Subscription", Protocol="lambda", TopicArn=ref("News"),
        Endpoint=arn("Reader"), RedrivePolicy={"deadLetterTargetArn": arn("Unread")},
    )  # fmt: skip
    # Delivery stream, to a function and a bucket.
    small.bucket("Lake")
    small.function("Shaper")
    small.delivery_stream("Clicks", "Lake", "Shaper")
    # Queue, to a program.
    small.work("Letters")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": _own_account()}}
    receive = {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": arn("Letters")}
    small.add(
        "Printer", "AWS::IAM::Role", AssumeRolePolicyDocument={"Statement": [trust]},
        Policies=[{"PolicyDocument": {"Statement": [receive]}}],
    )  # fmt: skip
    # An API.
    small.add("Desk", "AWS::ApiGatewayV2::Api", Name="Shop-Desk")
    small.logs("DeskLogs")
    small.add(
        "DeskStage", "AWS::ApiGatewayV2::Stage", ApiId=ref("Desk"), StageName="$default",
        AccessLogSettings={"DestinationArn": arn("DeskLogs")},
    )  # fmt: skip
    small.alarm("DeskErrors", "AWS/ApiGateway/5xx", "Sum", 1, ApiId=ref("Desk"))
    return small.template()


def _own_account() -> Resource:
    partition, account = ref("AWS::Partition"), ref("AWS::AccountId")
    return {"Fn::Join": ["", ["arn:", partition, ":iam::", account, ":root"]]}


def without(template: Template, logical_id: str, *path: str | int) -> Template:
    """Return the template without a resource, or without one of its properties."""
    body = copy.deepcopy(template.body)
    parent: Any = body["Resources"]
    steps: list[Any] = [logical_id, *path]
    for step in steps[:-1]:
        parent = parent[step]
    del parent[steps[-1]]
    return _with_body(template, body)


def having(template: Template, value: object, logical_id: str, *path: str | int) -> Template:
    """Return the template with another resource, or another value of a property."""
    body = copy.deepcopy(template.body)
    parent: Any = body["Resources"]
    steps: list[Any] = [logical_id, *path]
    for step in steps[:-1]:
        parent = parent[step]
    if steps[-1] == "+":
        parent.append(value)
    else:
        parent[steps[-1]] = value
    return _with_body(template, body)


def _with_body(template: Template, body: dict[str, Any]) -> Template:
    return replace(template, body=body)
