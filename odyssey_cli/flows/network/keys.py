"""Fetches a host's private key, and makes sure that it is the key pair's."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_cli import paths
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.network import reading, remedies
from odyssey_cli.flows.network.key_files import refuse_repository, write_once

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from odyssey_cli.target import Target


@dataclass(frozen=True)
class Saved:
    """A private key in a file.

    Attributes:
        file: where.
        fingerprint: the key pair's, as EC2 gives it.
        is_new: whether the file was written just now.
    """

    file: Path
    fingerprint: str
    is_new: bool


def default_file(outputs: Mapping[str, str]) -> Path:
    """Return where the private key of a deployed network is kept: git ignores all of .odyssey."""
    return paths.STATE / "keys" / f"{outputs['KeyPairId']}.pem"


def save(target: Target, outputs: Mapping[str, str], file: Path) -> Saved:
    """Fetch the private key from its SSM parameter into a file, unless it is there.

    Args:
        target: where the stack is deployed.
        outputs: the stack's.
        file: where to; nothing is overwritten.

    Raises:
        OdysseyError: the key is not to be had, it is not the key pair's, or the file is no place
            for it. Nothing is written then.
    """
    refuse_repository(file)
    key = _fetched(target, outputs)
    theirs = _of_pair(target, outputs)
    try:
        ours = fingerprint(key)
    except ValueError as error:
        raise OdysseyError(
            f"The parameter {outputs['KeyParameter']} holds no private key for ssh: {error}",
            _anew(target, outputs),
        ) from None
    if _bare(ours) != _bare(theirs):
        raise OdysseyError(
            f"The private key has the fingerprint {ours}, its key pair has {theirs}.",
            f"It would open no host, so it was not saved. {_anew(target, outputs)}",
        )
    return Saved(file, theirs, write_once(file, key))


def fingerprint(key: str) -> str:
    """Return the fingerprint of a private key in OpenSSH's form, as EC2 gives it.

    For ED25519 that is the base64 of the public key's SHA-256, as ssh-keygen has it, but for the
    padding: "Verify the fingerprint of your key pair" (Amazon EC2 User Guide), 2026-11-21.

    Raises:
        ValueError: it is no such key, or not ED25519.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - takes a while
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_ssh_private_key,
    )

    try:
        private = load_ssh_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What it says might quote the key.
        raise ValueError("it is not in OpenSSH's form, or needs a password.") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("it is not an ED25519 key.")
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return base64.b64encode(digest).decode()


def _bare(fingerprint: str) -> str:
    # "Amazon EC2 might append padding": ibidem. ssh-keygen puts the name of the hash in front.
    return fingerprint.removeprefix("SHA256:").rstrip("=")


def _anew(target: Target, outputs: Mapping[str, str]) -> str:
    """Return how to get a new key pair; the network is read for this only."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - takes half a second

    try:
        network = reading.read(target.client("ec2"), outputs["VpcId"])
    except (ClientError, OdysseyError):
        # Gone as well, or not for whoever may only fetch keys.
        network = None
    return remedies.anew(target, outputs, network)


def _fetched(target: Target, outputs: Mapping[str, str]) -> str:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see above

    ssm, parameter = target.client("ssm"), outputs["KeyParameter"]
    try:
        found = ssm.get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        raise OdysseyError(
            f"There is no parameter {parameter}: the private key is gone.",
            "Whoever has it may still use it; a new one comes with a new key pair. "
            + _anew(target, outputs),
        ) from None
    # ssh reads no key whose last line does not end.
    return f"{str(found).strip()}\n"


def _of_pair(target: Target, outputs: Mapping[str, str]) -> str:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see above

    wanted = outputs["KeyPairId"]
    try:
        pairs = target.client("ec2").describe_key_pairs(KeyPairIds=[wanted])["KeyPairs"]
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("InvalidKeyPair"):
            raise
        pairs = []
    for pair in pairs:
        if pair["KeyPairId"] == wanted:
            return str(pair["KeyFingerprint"])
    raise OdysseyError(f"There is no key pair {wanted}.", _anew(target, outputs))
