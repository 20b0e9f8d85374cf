"""Key pairs that are real, through the EC2 API and in CloudFormation's templates.

MiniStack answers a stub for the private key and chance for the fingerprint. Here the keys are
made (or read) by `cryptography`; a stack's private key is where CloudFormation puts it, in a
SecureString parameter, and nowhere else.

- AWS::EC2::KeyPair (every property, its tags too: "Update requires: Replacement")
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-keypair.html
- "Verify the fingerprint of your key pair": made by EC2, RSA: SHA-1 of the PKCS #8 private key;
  imported, RSA: MD5 of the public key in DER; ED25519: SHA-256 of the OpenSSH key, in Base64 that
  EC2 "might append padding to" (it does, and says no `SHA256:`)
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html
- CreateKeyPair, ImportKeyPair, DescribeKeyPairs, DeleteKeyPair
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateKeyPair.html
read 2026-11-21. Not made: keys in PuTTY's format (`ppk`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)

from local_cloud import ec2_answers as answers
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ground import Hook, find

_EC2 = "ministack.services.ec2"
_SSM = "ministack.services.ssm"
_FORMATION = "ministack.services.cloudformation.provisioners"
_KEY_PAIRS = Hook(_EC2, "_key_pairs")
_TAG = Hook(_EC2, "_parse_tag_specs", ("p", "resource_type", "resource_id"))
_PUT = Hook(_SSM, "_put_parameter", ("data",))
_DELETE = Hook(_SSM, "_delete_parameter", ("data",))
_HANDLERS = Hook(_FORMATION, "_RESOURCE_HANDLERS")
_REPLACING = Hook(_FORMATION, "_REPLACING_PROPERTIES")
_CUSTOM_NAMES = Hook(_FORMATION, "_CUSTOM_NAME_REPLACEMENT")
_STACK_TAGS = Hook(_FORMATION, "_STACK_TAG_PROPERTY")
_APPLY_TAGS = Hook(_FORMATION, "_ec2_apply_tags", ("physical_id", "props", "old_props"))
HOOKS = (
    *answers.HOOKS,
    _KEY_PAIRS,
    _TAG,
    _PUT,
    _DELETE,
    _HANDLERS,
    _REPLACING,
    _CUSTOM_NAMES,
    _STACK_TAGS,
    _APPLY_TAGS,
)

_TYPE = "AWS::EC2::KeyPair"
_PROPERTIES = ("KeyName", "KeyType", "KeyFormat", "PublicKeyMaterial", "Tags")
_RSA_BITS = 2048
_IMPORTED_RSA_BITS = (1024, 2048, 4096)
_BAD_REQUEST = 400

Properties = dict[str, Any]
Record = dict[str, str]
PublicKey = Ed25519PublicKey | RSAPublicKey


def sha256_fingerprint(key: Ed25519PublicKey) -> str:
    """Return the fingerprint of an ED25519 key pair, made or imported."""
    blob = base64.b64decode(_openssh(key).split()[1])
    return base64.b64encode(hashlib.sha256(blob).digest()).decode()


def made_fingerprint(key: RSAPrivateKey) -> str:
    """Return the fingerprint of an RSA key pair that EC2 made."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return hashlib.sha1(der, usedforsecurity=False).digest().hex(":")


def imported_fingerprint(key: RSAPublicKey) -> str:
    """Return the fingerprint of an RSA key pair that was imported."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.md5(der, usedforsecurity=False).digest().hex(":")


def _openssh(key: PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _record(name: str, kind: str, fingerprint: str, public_key: str) -> Record:
    return {
        "KeyName": name,
        "KeyPairId": f"key-0{secrets.token_hex(8)}",
        "KeyType": kind,
        "KeyFingerprint": fingerprint,
        "PublicKey": public_key,
        "CreateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }


def _check_name(name: str) -> None:
    if not name:
        raise Refusal("MissingParameter", "The request must contain the parameter KeyName")
    if name in find(_KEY_PAIRS):
        raise Refusal("InvalidKeyPair.Duplicate", f"The keypair '{name}' already exists.")


def make(name: str, kind: str, format: str) -> tuple[Record, str]:
    """Make a key pair; returns its record and the private key.

    Args:
        name: The key pair's.
        kind: `rsa` or `ed25519`.
        format: Of the private key: `pem`.

    Raises:
        Refusal: The name is taken, or the kind or format is not known.
    """
    _check_name(name)
    if format != "pem":
        raise Refusal("InvalidParameterValue", f"The local cloud makes no key in '{format}'.")
    if kind == "ed25519":
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        public, fingerprint = _openssh(key.public_key()), sha256_fingerprint(key.public_key())
    elif kind == "rsa":
        rsa = generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
        private = rsa.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        public, fingerprint = _openssh(rsa.public_key()), made_fingerprint(rsa)
    else:
        raise Refusal("InvalidParameterValue", f"Value ({kind}) for parameter keyType is invalid.")
    record = _record(name, kind, fingerprint, f"{public} {name}")
    find(_KEY_PAIRS)[name] = record
    return record, private.decode().rstrip("\n")


def take(name: str, material: str) -> Record:
    """Import a key pair's public key, as OpenSSH writes it; returns its record.

    Raises:
        Refusal: The name is taken, or the text is no key of a kind that EC2 takes.
    """
    _check_name(name)
    try:
        key = load_ssh_public_key(material.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, Ed25519PublicKey):
        kind, fingerprint = "ed25519", sha256_fingerprint(key)
    elif isinstance(key, RSAPublicKey) and key.key_size in _IMPORTED_RSA_BITS:
        kind, fingerprint = "rsa", imported_fingerprint(key)
    else:
        raise Refusal("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
    record = _record(name, kind, fingerprint, material.strip())
    find(_KEY_PAIRS)[name] = record
    return record


def drop(record: Record) -> None:
    """Forget a key pair and its tags."""
    find(_KEY_PAIRS).pop(record["KeyName"], None)
    answers.untag(record["KeyPairId"])


def _view(record: Record) -> dict[str, Any]:
    return {
        "keyPairId": record["KeyPairId"],
        "keyFingerprint": record["KeyFingerprint"],
        "keyName": record["KeyName"],
        "keyType": record["KeyType"],
        "tagSet": answers.tag_set(record["KeyPairId"]),
        "createTime": record["CreateTime"],
    }


def _answer_create(parameters: Parameters) -> str:
    record, private = make(
        answers.first(parameters, "KeyName"),
        answers.first(parameters, "KeyType", "rsa"),
        answers.first(parameters, "KeyFormat", "pem"),
    )
    find(_TAG)(parameters, "key-pair", record["KeyPairId"])
    return answers.elements({**_view(record), "keyMaterial": private})


def _answer_import(parameters: Parameters) -> str:
    try:
        material = base64.b64decode(answers.first(parameters, "PublicKeyMaterial")).decode()
    except (binascii.Error, UnicodeDecodeError):
        material = ""
    record = take(answers.first(parameters, "KeyName"), material)
    find(_TAG)(parameters, "key-pair", record["KeyPairId"])
    return answers.elements(_view(record))


def _by_id(key_pair_id: str) -> Record | None:
    for record in find(_KEY_PAIRS).values():
        if record["KeyPairId"] == key_pair_id:
            found: Record = record
            return found
    return None


def _answer_describe(parameters: Parameters) -> str:
    pairs = find(_KEY_PAIRS)
    names = answers.members(parameters, "KeyName")
    ids = answers.members(parameters, "KeyPairId")
    for name in names:
        if name not in pairs:
            raise Refusal("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
    for key_pair_id in ids:
        if _by_id(key_pair_id) is None:
            raise Refusal(
                "InvalidKeyPair.NotFound", f"The key pair ID '{key_pair_id}' does not exist"
            )
    wanted = answers.filters(parameters)
    with_key = answers.first(parameters, "IncludePublicKey").lower() == "true"
    found = []
    for record in pairs.values():
        if (names or ids) and record["KeyName"] not in names and record["KeyPairId"] not in ids:
            continue
        if answers.matches(record["KeyPairId"], _filterable(record), wanted):
            public_key = record["PublicKey"] if with_key else None
            found.append({**_view(record), "publicKey": public_key})
    return answers.xml("keySet", found)


def _filterable(record: Record) -> dict[str, list[str]]:
    return {
        "key-name": [record["KeyName"]],
        "key-pair-id": [record["KeyPairId"]],
        "fingerprint": [record["KeyFingerprint"]],
    }


def _answer_delete(parameters: Parameters) -> str:
    name = answers.first(parameters, "KeyName")
    record = find(_KEY_PAIRS).get(name) or _by_id(answers.first(parameters, "KeyPairId"))
    if record is not None:
        drop(record)
    # "return: true" for a key pair that does not exist, too.
    return answers.elements({"return": True, "keyPairId": (record or {}).get("KeyPairId")})


def parameter_of(key_pair_id: str) -> str:
    """Return the name of the parameter that holds a stack's private key."""
    return f"/ec2/keypair/{key_pair_id}"


def _attributes(record: Record) -> dict[str, str]:
    return {"KeyFingerprint": record["KeyFingerprint"], "KeyPairId": record["KeyPairId"]}


def _create(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, dict[str, str]]:
    name = properties["KeyName"]
    if material := properties.get("PublicKeyMaterial"):
        record = take(name, material)
    else:
        kind = properties.get("KeyType", "rsa")
        record, private = make(name, kind, properties.get("KeyFormat", "pem"))
        _keep(record, private)
    find(_APPLY_TAGS)(record["KeyPairId"], properties)
    return name, _attributes(record)


def _keep(record: Record, private: str) -> None:
    """Put a private key in its parameter; without that there is no key pair."""
    status, _, body = find(_PUT)(
        {"Name": parameter_of(record["KeyPairId"]), "Type": "SecureString", "Value": private}
    )
    if status >= _BAD_REQUEST:
        drop(record)
        raise ValueError(f"{_TYPE} create failed: {json.loads(body).get('message')}")


def _keep_as_it_is(
    name: str, _old: Properties, _new: Properties, _stack: str
) -> tuple[str, dict[str, str]]:
    """Update nothing, as every property replaces.

    MiniStack asks a type that updates whether a change replaces the resource. One that does not
    it does not ask when nothing but tags differ, the template's or the stack's: those it drops.
    """
    return name, _attributes(find(_KEY_PAIRS)[name])


def _delete(name: str, _properties: Properties) -> None:
    record = find(_KEY_PAIRS).get(name)
    if record is None:
        return
    find(_DELETE)({"Name": parameter_of(record["KeyPairId"])})
    drop(record)


def install() -> None:
    """Replace the API's four actions and register the type."""
    answers.answer("CreateKeyPair", _answer_create)
    answers.answer("ImportKeyPair", _answer_import)
    answers.answer("DescribeKeyPairs", _answer_describe)
    answers.answer("DeleteKeyPair", _answer_delete)
    answers.kind_of("key-", "key-pair")
    find(_HANDLERS)[_TYPE] = {"create": _create, "update": _keep_as_it_is, "delete": _delete}
    find(_REPLACING)[_TYPE] = _PROPERTIES
    find(_CUSTOM_NAMES)[_TYPE] = {"name": "KeyName"}
    find(_STACK_TAGS)[_TYPE] = ("Tags", "list")
