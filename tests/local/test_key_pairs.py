"""Key pairs that a stack or a client makes: real keys, and where the private one is."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.local.functions import allow, role
from tests.local.templates import Stack

if TYPE_CHECKING:
    from odyssey_cli.target import Target

ED25519 = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEqIClvSlmsD+U+3w2J8SJfHDoyLnVbvVmwKzXyXJpa9 somebody"
)


@pytest.fixture
def stack(target: Target) -> Stack:
    return Stack(target)


@pytest.fixture
def ec2(target: Target) -> Any:
    return target.client("ec2")


@pytest.fixture
def ssm(target: Target) -> Any:
    return target.client("ssm")


@pytest.fixture
def name() -> str:
    return f"pair-{uuid.uuid4().hex[:8]}"


def key_pair(name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::KeyPair", "Properties": {"KeyName": name, **properties}}


def begin(kind: str) -> str:
    """Return a key file's first line; whole, it would look like a key in the repository."""
    return f"-----BEGIN {kind} PRIVATE " + "KEY-----\n"


def described(ec2: Any, name: str) -> dict[str, Any]:
    [found] = ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
    return dict(found)


def names(ec2: Any) -> set[str]:
    return {each["KeyName"] for each in ec2.describe_key_pairs()["KeyPairs"]}


def parameters(ssm: Any) -> set[str]:
    pages = ssm.get_paginator("describe_parameters").paginate()
    return {each["Name"] for page in pages for each in page["Parameters"]}


def sha256_as_ec2(public_key: str) -> str:
    blob = base64.b64decode(public_key.split()[1])
    return base64.b64encode(hashlib.sha256(blob).digest()).decode()


def test_a_stacks_private_key_is_in_a_secure_parameter_as_long_as_the_key_pair_is(
    stack: Stack, ec2: Any, ssm: Any, name: str
) -> None:
    # WHEN a stack makes a key pair
    given = {"Name": {"Ref": "Pair"}, "Value": {"Fn::GetAtt": ["Pair", "KeyFingerprint"]}}
    probe = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", **given}}
    pair = key_pair(name, KeyType="ed25519", Tags=[{"Key": "project", "Value": "odyssey"}])
    assert stack.create(Pair=pair, Probe=probe) == "CREATE_COMPLETE"

    # THEN EC2 has it, with its tags and those of the stack
    found = described(ec2, name)
    assert stack.physical_id("Pair") == name
    assert found["KeyType"] == "ed25519"
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags["project"] == "odyssey"
    assert tags["aws:cloudformation:logical-id"] == "Pair"
    assert found["KeyFingerprint"] == sha256_as_ec2(found["PublicKey"])
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == found["KeyFingerprint"]

    # AND its private key is in the parameter, encrypted
    where = f"/ec2/keypair/{found['KeyPairId']}"
    kept = ssm.get_parameter(Name=where, WithDecryption=True)["Parameter"]
    assert kept["Type"] == "SecureString"
    assert kept["Value"] != ssm.get_parameter(Name=where)["Parameter"]["Value"]
    assert kept["Value"].startswith(begin("OPENSSH"))
    private = serialization.load_ssh_private_key(kept["Value"].encode(), None)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert found["PublicKey"].startswith(public.decode())

    # WHEN the stack goes
    assert stack.delete() is None

    # THEN neither is left
    assert name not in names(ec2)
    assert where not in parameters(ssm)


def test_only_a_role_that_may_reads_a_private_key(
    stack: Stack, ec2: Any, target: Target, name: str
) -> None:
    # GIVEN a stack's key pair, a role that may read such parameters, and one that may read others
    stack.create(Pair=key_pair(name, KeyType="ed25519"))
    where = f"/ec2/keypair/{described(ec2, name)['KeyPairId']}"
    every = "arn:aws:ssm:*:*:parameter{}/*"
    allowed = as_role(target, allow("ssm:GetParameter", every.format("/ec2/keypair")))
    refused = as_role(target, allow("ssm:GetParameter", every.format("/other")))

    # THEN the one can, and the other cannot
    assert allowed.get_parameter(Name=where, WithDecryption=True)["Parameter"]["Value"]
    with pytest.raises(ClientError, match="AccessDenied"):
        refused.get_parameter(Name=where, WithDecryption=True)
    assert stack.delete() is None


def as_role(target: Target, statement: dict[str, Any]) -> Any:
    taken = target.client("sts").assume_role(
        RoleArn=role(target, statement), RoleSessionName="reader"
    )["Credentials"]
    return boto3.client(
        "ssm",
        endpoint_url=target.endpoint,
        region_name="us-east-1",
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
    )


def test_an_imported_key_pair_has_no_private_key_anywhere(
    stack: Stack, ec2: Any, ssm: Any, name: str
) -> None:
    before = parameters(ssm)

    assert stack.create(Pair=key_pair(name, PublicKeyMaterial=ED25519)) == "CREATE_COMPLETE"

    found = described(ec2, name)
    assert (found["KeyType"], found["PublicKey"]) == ("ed25519", ED25519)
    assert found["KeyFingerprint"] == sha256_as_ec2(ED25519)
    assert parameters(ssm) == before
    assert stack.delete() is None
    assert name not in names(ec2)


def test_a_key_pair_with_another_name_is_another_one(
    stack: Stack, ec2: Any, ssm: Any, name: str
) -> None:
    # GIVEN a key pair
    stack.create(Pair=key_pair(name))
    before = described(ec2, name)["KeyPairId"]

    # WHEN it gets another name
    assert stack.update(Pair=key_pair(f"{name}-2")) == "UPDATE_COMPLETE"

    # THEN it has another key, and the old one is gone with its parameter
    after = described(ec2, f"{name}-2")["KeyPairId"]
    assert name not in names(ec2)
    assert f"/ec2/keypair/{before}" not in parameters(ssm)
    assert f"/ec2/keypair/{after}" in parameters(ssm)

    # WHEN anything else of it changes
    assert stack.update(Pair=key_pair(f"{name}-2", KeyType="ed25519")) == (
        "UPDATE_ROLLBACK_COMPLETE"
    )

    # THEN that is refused, because the name is taken by the key pair itself
    assert "custom-named resource requires replacing" in stack.reasons()
    assert described(ec2, f"{name}-2")["KeyPairId"] == after
    assert stack.delete() is None


def test_tags_alone_replace_a_key_pair_which_its_name_forbids(
    stack: Stack, ec2: Any, name: str
) -> None:
    # GIVEN a key pair with a tag of its own, in a stack with another
    given = key_pair(name, KeyType="ed25519", Tags=[{"Key": "project", "Value": "odyssey"}])
    stack.create(Pair=given)
    assert retagged(stack, "dev", Pair=given) == "UPDATE_ROLLBACK_COMPLETE"
    before = described(ec2, name)

    # WHEN only the template's tag changes, or only the stack's
    changed = key_pair(name, KeyType="ed25519", Tags=[{"Key": "project", "Value": "other"}])
    assert stack.update(Pair=changed) == "UPDATE_ROLLBACK_COMPLETE"
    assert retagged(stack, "prod", Pair=given) == "UPDATE_ROLLBACK_COMPLETE"

    # THEN that is refused, and the key pair is as it was
    events = stack.formation.describe_stack_events(StackName=stack.name)["StackEvents"]
    failed = [each for each in events if each["ResourceStatus"] == "UPDATE_FAILED"]
    refusals = [each["ResourceStatusReason"] for each in failed]
    assert len(refusals) == 3
    assert all("custom-named resource requires replacing" in each for each in refusals)
    assert described(ec2, name) == before
    assert before["Tags"]

    # AND nothing is refused when nothing of the key pair changes
    probe = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
    assert stack.update(Pair=given, Probe=probe) == "UPDATE_COMPLETE"

    # WHEN its name changes as well
    renamed = key_pair(f"{name}-2", KeyType="ed25519")
    assert retagged(stack, "prod", Pair=renamed) == "UPDATE_COMPLETE"

    # THEN another one has the tags
    tags = {tag["Key"]: tag["Value"] for tag in described(ec2, f"{name}-2")["Tags"]}
    assert tags["stage"] == "prod"
    assert name not in names(ec2)
    assert stack.delete() is None


def retagged(stack: Stack, stage: str, **resources: Any) -> str | None:
    """Update a stack that then has a tag of its own, and return the status."""
    stack.formation.update_stack(
        StackName=stack.name,
        TemplateBody=json.dumps({"Resources": resources}),
        Tags=[{"Key": "stage", "Value": stage}],
    )
    return stack.settled()


def test_a_stack_cannot_have_the_name_of_a_key_pair_that_exists(
    stack: Stack, ec2: Any, ssm: Any, name: str
) -> None:
    ec2.create_key_pair(KeyName=name)
    before = parameters(ssm)

    assert stack.create(Pair=key_pair(name)) == "CREATE_FAILED"

    assert "InvalidKeyPair.Duplicate" in stack.reasons()
    assert parameters(ssm) == before
    assert stack.delete() is None
    assert name in names(ec2)
    ec2.delete_key_pair(KeyName=name)


def test_an_rsa_key_pair_is_told_by_its_private_key_and_an_imported_one_by_its_public_key(
    ec2: Any, name: str
) -> None:
    # WHEN EC2 makes a key pair, and its public key is imported under another name
    made = ec2.create_key_pair(
        KeyName=name,
        TagSpecifications=[
            {"ResourceType": "key-pair", "Tags": [{"Key": "made", "Value": "by hand"}]}
        ],
    )
    private = serialization.load_pem_private_key(made["KeyMaterial"].encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    imported = ec2.import_key_pair(KeyName=f"{name}-2", PublicKeyMaterial=public)

    # THEN their fingerprints are those that the User Guide computes with openssl
    pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert made["KeyMaterial"].startswith(begin("RSA"))
    assert made["KeyFingerprint"] == hashlib.sha1(pkcs8).digest().hex(":")  # noqa: S324
    assert imported["KeyFingerprint"] == hashlib.md5(spki).digest().hex(":")  # noqa: S324

    # AND they are found by them, by id and by tag
    for by, value in (
        ("fingerprint", made["KeyFingerprint"]),
        ("key-pair-id", made["KeyPairId"]),
        ("key-name", name),
        ("tag:made", "by hand"),
    ):
        found = ec2.describe_key_pairs(Filters=[{"Name": by, "Values": [value]}])["KeyPairs"]
        assert [each["KeyName"] for each in found if each["KeyName"].startswith(name)] == [name]
        assert "PublicKey" not in found[0]
    ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
    ec2.delete_key_pair(KeyName=f"{name}-2")
    assert not {name, f"{name}-2"} & names(ec2)


@pytest.mark.parametrize(
    ("call", "arguments", "code"),
    [
        ("describe_key_pairs", {"KeyNames": ["missing"]}, "InvalidKeyPair.NotFound"),
        ("describe_key_pairs", {"KeyPairIds": ["key-0"]}, "InvalidKeyPair.NotFound"),
        (
            "describe_key_pairs",
            {"Filters": [{"Name": "nothing", "Values": ["x"]}]},
            "InvalidParameterValue",
        ),
        (
            "import_key_pair",
            {"KeyName": "bad", "PublicKeyMaterial": b"ssh-ed25519 nonsense"},
            "InvalidKey.Format",
        ),
    ],
)
def test_what_is_no_key_pair_is_refused(
    ec2: Any, call: str, arguments: dict[str, Any], code: str
) -> None:
    ec2.create_key_pair(KeyName="some", KeyType="ed25519")
    try:
        with pytest.raises(ClientError) as refused:
            getattr(ec2, call)(**arguments)
        assert refused.value.response["Error"]["Code"] == code
        with pytest.raises(ClientError, match=r"InvalidKeyPair\.Duplicate"):
            ec2.create_key_pair(KeyName="some")
    finally:
        ec2.delete_key_pair(KeyName="some")
