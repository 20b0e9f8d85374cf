"""Copies of a bucket's new objects in another bucket."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from constructs import Construct
from odyssey_constructs.findings import acknowledge


@dataclass(frozen=True)
class Replica:
    """Another bucket, versioned too, of any region.

    Attributes:
        bucket_arn: the bucket.
        key_arn: the KMS key that encrypts the copies.
    """

    bucket_arn: str
    key_arn: str

    @classmethod
    def of(cls, bucket_arn: str | None, key_arn: str | None) -> Replica | None:
        """Return the replica that the settings name, None if they name none."""
        return cls(bucket_arn, key_arn) if bucket_arn and key_arn else None


class Copier(Construct):
    """The role with which S3 copies objects, and the rule by which it does.

    "Setting up permissions for live replication" and "Replicating encrypted objects", Amazon S3
    User Guide, 2026-11-21.

    Args:
        scope: the parent.
        id: the name within the parent.
        to: where the copies go.
    """

    def __init__(self, scope: Construct, id: str, *, to: Replica) -> None:
        super().__init__(scope, id)
        self._to = to
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("s3.amazonaws.com"),
            description="Copies new objects to another bucket",
        )
        self.rules = [
            s3.ReplicationRule(
                destination=s3.Bucket.from_bucket_arn(self, "Bucket", to.bucket_arn),
                kms_key=kms.Key.from_key_arn(self, "Key", to.key_arn),
                sse_kms_encrypted_objects=True,
            )
        ]

    def allow_copy(self, bucket: s3.Bucket) -> None:
        """Let S3 copy the objects of `bucket`."""
        self._allow("s3:GetReplicationConfiguration", "s3:ListBucket", on=bucket.bucket_arn)
        self._allow(
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionTagging",
            on=bucket.arn_for_objects("*"),
        )
        self._allow("s3:ReplicateObject", "s3:ReplicateTags", on=f"{self._to.bucket_arn}/*")
        if bucket.encryption_key:
            self._allow("kms:Decrypt", on=bucket.encryption_key.key_arn)
        self._allow("kms:Encrypt", on=self._to.key_arn)
        acknowledge(
            self.role,
            f"AwsSolutions-IAM5[Resource::{self._to.bucket_arn}/*]",
            "Copies have the keys of their originals, which are made at run time.",
        )

    def _allow(self, *actions: str, on: str) -> None:
        self.role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[on]))
