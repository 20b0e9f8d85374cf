"""A bucket that nobody outside sees, whose objects cannot be lost by overwriting."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import CustomResource, Duration, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from constructs import Construct
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.function import PythonFunction
from odyssey_constructs.retention import removal_policy

if TYPE_CHECKING:
    from aws_cdk import CfnElement

    from odyssey_constructs.client import Client
    from odyssey_constructs.config import Config

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
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        keep_overwritten: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        self._key = encryption_key(self, config=config)
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
            ],
            removal_policy=removal_policy(config),
        )
        acknowledge(
            self.bucket,
            "AwsSolutions-S1",
            "Only roles of this account reach the bucket. CloudTrail's data events say who did "
            "what; access logs, delivered on a best-effort basis, do so less well.",
        )
        if not config.is_prod:
            self._empty_on_delete(config)

    def allow_put(self, who: PythonFunction | Client) -> None:
        """Let `who` write any object; overwritten versions stay."""
        self._allow(who, "s3:PutObject")
        if self._key is not None:
            # "Using server-side encryption with AWS KMS keys", Amazon S3 User Guide, 2026-11-21.
            who.allow("kms:Decrypt", "kms:GenerateDataKey", on=self._key.key_arn)

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
            # CloudFormation would wait an hour for a function that has died.
            service_timeout=function.timeout,
        )
        emptied.node.add_dependency(function.role, permissions)


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
        config=config,
    )
