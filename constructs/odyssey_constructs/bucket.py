"""A bucket that nobody outside sees, whose objects cannot be lost by overwriting."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import CustomResource, Duration, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from constructs import Construct
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.function import PythonFunction, answer_within
from odyssey_constructs.replication import Copier
from odyssey_constructs.retention import removal_policy

if TYPE_CHECKING:
    from aws_cdk import CfnElement

    from odyssey_constructs.client import Client
    from odyssey_constructs.config import Config
    from odyssey_constructs.delivery_stream import DeliveryStream
    from odyssey_constructs.replication import Replica

# lambda_src/custom_resources/emptying.py empties only buckets with this tag.
EMPTY_TAG = "odyssey:empty-on-delete"
_EMPTIER = "BucketEmptier"


class Bucket(Construct):
    """A versioned, encrypted bucket, over TLS only, without public access.

    What was overwritten or deleted is kept for 30 days. In dev the bucket is emptied and
    deleted with its stack; in prod it outlives it and is encrypted with the stack's own key.

    Args:
        scope: the parent.
        id: the name within the parent.
        config: the app's settings.
        keep_overwritten: how long overwritten and deleted versions are kept.
        archive_days: after which objects move to S3 Glacier Flexible Retrieval; None for never.
        archive_prefix: which objects those are; all by default.
        expiry_days: after which objects are deleted; None for never.
        replica: where new objects are copied to as well.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        keep_overwritten: Duration | None = None,
        archive_days: int | None = None,
        archive_prefix: str | None = None,
        expiry_days: int | None = None,
        replica: Replica | None = None,
    ) -> None:
        super().__init__(scope, id)
        self._key = encryption_key(self, config=config)
        copier = Copier(self, "Copier", to=replica) if replica else None
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.KMS if self._key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self._key,
            bucket_key_enabled=True if self._key else None,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="Overwritten",
                    noncurrent_version_expiration=keep_overwritten or Duration.days(30),
                    expired_object_delete_marker=True,
                ),
                s3.LifecycleRule(
                    id="Unfinished", abort_incomplete_multipart_upload_after=Duration.days(1)
                ),
                *_aging(archive_days, archive_prefix, expiry_days),
            ],
            replication_role=copier.role if copier else None,
            replication_rules=copier.rules if copier else None,
            removal_policy=removal_policy(config),
        )
        acknowledge(
            self.bucket,
            "AwsSolutions-S1",
            "Only roles of this account reach the bucket. CloudTrail's data events say who did "
            "what; access logs, delivered on a best-effort basis, do so less well.",
        )
        if copier:
            copier.allow_copy(self.bucket)
            self._acknowledge_objects(copier)
        if not config.is_prod:
            self._empty_on_delete(config)

    def allow_put(self, who: PythonFunction | Client) -> None:
        """Let `who` write any object; overwritten versions stay."""
        self._allow(who, "s3:PutObject")
        if self._key is not None:
            # "Using server-side encryption with AWS KMS keys", Amazon S3 User Guide, 2026-11-21.
            who.allow("kms:Decrypt", "kms:GenerateDataKey", on=self._key.key_arn)

    def allow_deliver(self, who: DeliveryStream) -> None:
        """Let Firehose write objects in a delivery stream's name.

        The calls are those of "Grant Firehose access to an Amazon S3 destination", 2026-11-21.
        """
        who.allow(
            "s3:GetBucketLocation",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            on=self.bucket.bucket_arn,
        )
        who.allow(
            "s3:AbortMultipartUpload",
            "s3:GetObject",
            "s3:PutObject",
            on=self.bucket.arn_for_objects("*"),
        )
        if self._key is not None:
            who.allow("kms:Decrypt", "kms:GenerateDataKey", on=self._key.key_arn)
        self._acknowledge_objects(who)

    def allow_get(self, who: PythonFunction | Client) -> None:
        """Let `who` read any object whose key it knows."""
        self._allow(who, "s3:GetObject")
        if self._key is not None:
            who.allow("kms:Decrypt", on=self._key.key_arn)

    def _allow(self, who: PythonFunction | Client, action: str) -> None:
        who.allow(action, on=self.bucket.arn_for_objects("*"))
        self._acknowledge_objects(who)

    def _acknowledge_objects(self, who: Construct) -> None:
        bucket = Stack.of(self).get_logical_id(cast("CfnElement", self.bucket.node.default_child))
        acknowledge(
            who,
            f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/*]",
            "Keys are made at run time; the bucket holds nothing else.",
        )

    def _empty_on_delete(self, config: Config) -> None:
        Tags.of(self.bucket).add(EMPTY_TAG, "true")
        function = _emptier(Stack.of(self), config)
        # A policy of this bucket's own: where a bucket is replaced, CloudFormation changes the
        # role's other policy before it deletes what is old, and takes this one away after that.
        permissions = iam.Policy(
            self,
            "MayEmpty",
            roles=[function.role],
            statements=[
                iam.PolicyStatement(
                    actions=["s3:GetBucketTagging", "s3:ListBucketVersions"],
                    resources=[self.bucket.bucket_arn],
                ),
                iam.PolicyStatement(
                    actions=["s3:DeleteObjectVersion"],
                    resources=[self.bucket.arn_for_objects("*")],
                ),
            ],
        )
        self._acknowledge_objects(permissions)
        emptied = CustomResource(
            self,
            "EmptyOnDelete",
            resource_type="Custom::EmptyBucket",
            service_token=function.function.function_arn,
            properties={"Bucket": self.bucket.bucket_name},
            service_timeout=answer_within(function),
        )
        emptied.node.add_dependency(function.role, permissions)


def _aging(
    archive_days: int | None, archive_prefix: str | None, expiry_days: int | None
) -> list[s3.LifecycleRule]:
    rules = []
    if archive_days:
        archived = s3.Transition(
            storage_class=s3.StorageClass.GLACIER, transition_after=Duration.days(archive_days)
        )
        rules.append(s3.LifecycleRule(id="Archived", prefix=archive_prefix, transitions=[archived]))
    if expiry_days:
        rules.append(s3.LifecycleRule(id="Expired", expiration=Duration.days(expiry_days)))
    return rules


def _emptier(stack: Stack, config: Config) -> PythonFunction:
    """Return the function that empties the stack's buckets, made on first use."""
    existing = stack.node.try_find_child(_EMPTIER)
    if existing is not None:
        return cast("PythonFunction", existing)
    return PythonFunction(
        stack,
        _EMPTIER,
        handler="custom_resources.empty_bucket",
        # The longest there is ("Lambda quotas", 2026-11-21); it answers before it is over.
        timeout=Duration.minutes(15),
        # Whoever deletes the stack waits for it and is told by CloudFormation.
        alarmed=False,
        config=config,
    )
