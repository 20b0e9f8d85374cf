"""A dev stack's bucket, with objects in it, is replaced, kept or taken away as the stack says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import App, CliCredentialsStackSynthesizer, Stack

from odyssey_cli import cdk
from odyssey_constructs.bucket import Bucket
from odyssey_constructs.config import Config, Stage

if TYPE_CHECKING:
    from odyssey_cli.target import Target

STACK = "Shelf"


def synthesize(folder: Path, name: str, stage: Stage = "dev") -> Path:
    """Synthesize a stack with one bucket."""
    app = App(outdir=str(folder / f"{name}-{stage}"), builtin_cloud_formation_validation=False)
    stack = Stack(app, STACK, synthesizer=CliCredentialsStackSynthesizer())
    Bucket(stack, name, config=Config(stage=stage))
    return Path(app.synth().directory)


def buckets(target: Target) -> set[str]:
    return {
        each["Name"]
        for each in target.client("s3").list_buckets()["Buckets"]
        if each["Name"].startswith(STACK.lower())
    }


def fill(target: Target, bucket: str) -> None:
    s3 = target.client("s3")
    for key in ("a", "b", "a"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"something")
    s3.delete_object(Bucket=bucket, Key="b")


def test_a_bucket_that_is_replaced_is_emptied_and_goes(deployed: Target, tmp_path: Path) -> None:
    # GIVEN a bucket with versions and a delete marker in it
    cdk.deploy(deployed, synthesize(tmp_path, "Books"), [STACK])
    [before] = buckets(deployed)
    fill(deployed, before)
    # WHEN the stack has another in its place, THEN the old one is gone
    cdk.deploy(deployed, synthesize(tmp_path, "Papers"), [STACK])
    [after] = buckets(deployed)
    assert after != before
    # AND with the stack goes what is in the new one
    fill(deployed, after)
    cdk.destroy(deployed, synthesize(tmp_path, "Papers"), [STACK])
    assert buckets(deployed) == set()


def test_a_stack_that_turns_to_prod_keeps_what_is_in_its_bucket(
    deployed: Target, tmp_path: Path
) -> None:
    # GIVEN
    cdk.deploy(deployed, synthesize(tmp_path, "Books"), [STACK])
    [bucket] = buckets(deployed)
    fill(deployed, bucket)
    # WHEN what empties the bucket goes, because a prod stack has no such thing
    cdk.deploy(deployed, synthesize(tmp_path, "Books", "prod"), [STACK])
    # THEN nothing was emptied, not even when the stack goes
    cdk.destroy(deployed, synthesize(tmp_path, "Books", "prod"), [STACK])
    s3 = deployed.client("s3")
    found = s3.list_object_versions(Bucket=bucket)
    assert len(found["Versions"]) == 3
    # clean up
    for each in [*found["Versions"], *found["DeleteMarkers"]]:
        s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=bucket)
