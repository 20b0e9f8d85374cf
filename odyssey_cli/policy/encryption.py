"""Rules on what others could read: encryption at rest and on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_cli.policy.allowed import KEY, WITHOUT_TLS
from odyssey_cli.policy.rule import Fault
from odyssey_cli.policy.templates import Json, Properties, as_list, statements_of, text
from odyssey_cli.templates import referenced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from odyssey_cli.policy.templates import Template


def _queue(properties: Properties) -> Json:
    return properties.get("KmsMasterKeyId") or properties.get("SqsManagedSseEnabled")


def _bucket(properties: Properties) -> Json:
    rules = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    by_default = rules[0].get("ServerSideEncryptionByDefault", {}) if rules else {}
    algorithm = by_default.get("SSEAlgorithm")
    return by_default.get("KMSMasterKeyID") if algorithm == "aws:kms" else algorithm


def _delivery_stream(properties: Properties) -> Json:
    encryption = properties.get("DeliveryStreamEncryptionConfigurationInput", {})
    kind = encryption.get("KeyType")
    return encryption.get("KeyARN") if kind == "CUSTOMER_MANAGED_CMK" else kind


def _objects(properties: Properties) -> Json:
    destination = properties.get("ExtendedS3DestinationConfiguration", {})
    encryption = destination.get("EncryptionConfiguration", {})
    return encryption.get("KMSEncryptionConfig", {}).get("AWSKMSKeyARN") or _OF_AWS


def _stream(properties: Properties) -> Json:
    return properties.get("StreamEncryption", {}).get("KeyId")


def _volumes(properties: Properties) -> list[Json]:
    """Return what each volume of a host says."""
    return [_volume(each.get("Ebs", {})) for each in properties.get("BlockDeviceMappings", [])]


def _volume(properties: Properties) -> Json:
    """Return a volume's key; false when it is not encrypted."""
    return properties.get("Encrypted") is True and (properties.get("KmsKeyId") or _OF_AWS)


# Stands for encryption that AWS does with a key of its own when nothing is said: DynamoDB, Secrets
# Manager, CloudWatch Logs and volumes ("Encryption at rest" in each one's guide, 2026-11-21).
_OF_AWS = "AWS's own key"
# How a resource says with what it is encrypted: a key, or that it is.
_ENCRYPTED: dict[str, Callable[[Properties], Json]] = {
    "AWS::DynamoDB::Table": lambda each: (
        (
            each.get("SSESpecification", {}).get("SSEEnabled")
            and each["SSESpecification"].get("KMSMasterKeyId")
        )
        or _OF_AWS
    ),
    "AWS::EC2::Volume": _volume,
    "AWS::Kinesis::Stream": _stream,
    "AWS::KinesisFirehose::DeliveryStream": _delivery_stream,
    "AWS::Logs::LogGroup": lambda each: each.get("KmsKeyId") or _OF_AWS,
    "AWS::S3::Bucket": _bucket,
    "AWS::SecretsManager::Secret": lambda each: each.get("KmsKeyId") or _OF_AWS,
    "AWS::SNS::Topic": lambda each: each.get("KmsMasterKeyId"),
    "AWS::SQS::Queue": _queue,
}


# What may have a key of AWS's in prod, too, which it has when it says nothing ("Encryption at Rest
# for Amazon EventBridge Custom Event Bus", Amazon EventBridge User Guide, 2026-11-21; that an
# archive has it, too, is from memory): a key of the stack's own would have to let in whoever puts
# events on the bus, and whoever gets them. A key that is named all the same has to be the stack's.
_MAY_BE_OF_AWS = ("AWS::Events::Archive", "AWS::Events::EventBus")


def encrypted(template: Template) -> Iterator[Fault]:
    """Whatever holds data is encrypted at rest, in prod with a key of the stack's own."""
    for kind, said in _ENCRYPTED.items():
        for at, properties in template.of(kind).items():
            # The key that AWS manages for SNS does not let CloudWatch publish ("Encrypting Amazon
            # SNS topics", 2026-11-21), and an alarm's text holds no data of the flows.
            if kind == "AWS::SNS::Topic" and at in template.alarm_topics and not template.is_prod:
                continue
            yield from _with_a_key(template, at, said(properties))
    for at, properties in template.of("AWS::KinesisFirehose::DeliveryStream").items():
        yield from _with_a_key(template, at, _objects(properties))
    for at, host in template.of("AWS::EC2::Instance").items():
        # Without a word, the volume is as the image says.
        for volume in _volumes(host) or [False]:
            yield from _with_a_key(template, at, volume)
    for at, launched in template.of("AWS::EC2::LaunchTemplate").items():
        for volume in _volumes(launched.get("LaunchTemplateData", {})):
            yield from _with_a_key(template, at, volume)
    for at, properties in template.of(*_MAY_BE_OF_AWS).items():
        if "KmsKeyIdentifier" in properties:
            yield from _with_a_key(template, at, properties["KmsKeyIdentifier"])
    for at, bucket in template.of("AWS::S3::Bucket").items():
        rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        if template.is_prod and not all(rule.get("BucketKeyEnabled") is True for rule in rules):
            yield Fault(
                at,
                "Each object costs a call of KMS, which has a quota.",
                "Let BucketKeyEnabled be true.",
            )


def _with_a_key(template: Template, at: str, said: Json) -> Iterator[Fault]:
    if not said:
        yield Fault(at, "It is not encrypted at rest.", "State its encryption.")
    elif template.is_prod and not any(template.type(each) == KEY for each in referenced(said)):
        yield Fault(
            at,
            "In prod it is not encrypted with the stack's own key.",
            "Name the stack's AWS::KMS::Key.",
        )


def keys_rotate(template: Template) -> Iterator[Fault]:
    """Every key rotates, and no dev stack pays for one."""
    for at, key in template.of(KEY).items():
        if key.get("EnableKeyRotation") is not True:
            yield Fault(at, "The key never changes.", "Let EnableKeyRotation be true.")
        if not template.is_prod:
            yield Fault(
                at,
                "A key costs 1 USD a month, more than everything else of a dev stack.",
                "Use the keys that AWS owns in dev.",
            )


# By type: the policy's type, its property that names what it is for, and the action that a refusal
# covers at least.
_POLICIES = {
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues", {"sqs:*"}),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics", {"sns:*", "sns:Publish"}),
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket", {"s3:*"}),
}


def tls_only(template: Template) -> Iterator[Fault]:
    """Every queue, topic and bucket refuses what does not come over TLS."""
    for kind, (policy_kind, applies_to, actions) in _POLICIES.items():
        protected = {
            resource
            for policy in template.of(policy_kind).values()
            for resource in referenced(policy.get(applies_to))
            for statement in statements_of(policy)
            if statement.get("Effect") == "Deny"
            and statement.get("Principal") in ("*", {"AWS": "*"})
            and statement.get("Condition") == WITHOUT_TLS
            and actions & set(as_list(statement.get("Action")))
            and _all_of(kind, resource, statement.get("Resource"))
        }
        for at in template.of(kind):
            if at not in protected:
                yield Fault(
                    at,
                    "It can be called without TLS.",
                    f"Deny {sorted(actions)[-1]} to everybody while aws:SecureTransport is false.",
                )


def _all_of(kind: str, resource: str, on: Json) -> bool:
    """Say whether a statement is about a resource, and, of a bucket, about its objects, too."""
    arns = [text(each) for each in as_list(on)]
    if kind == "AWS::S3::Bucket":
        return {f"<{resource}.Arn>", f"<{resource}.Arn>/*"} <= set(arns)
    return resource in referenced(on)


def buckets_closed(template: Template) -> Iterator[Fault]:
    """Every bucket keeps what is overwritten, and nobody can open it to the public."""
    for at, bucket in template.of("AWS::S3::Bucket").items():
        closed = bucket.get("PublicAccessBlockConfiguration", {})
        if not all(closed.get(each) is True for each in _CLOSED):
            yield Fault(at, "It can be opened to the public.", f"Block all: {', '.join(_CLOSED)}.")
        if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield Fault(
                at, "What is overwritten in it is lost.", "Let VersioningConfiguration be Enabled."
            )


_CLOSED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
