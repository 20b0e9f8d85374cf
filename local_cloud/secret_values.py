"""CloudFormation's secrets: what `Ref` gives, and how a secret string is generated.

MiniStack's `Ref` is the secret's name where AWS's is its ARN, which is what policies and SDK calls
are given, and its generator knows the length and the excluded characters only. Here the generator
is that of MiniStack's own GetRandomPassword, which takes the same options.

- AWS::SecretsManager::Secret ("Ref returns the ARN of the secret")
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html
- AWS::SecretsManager::Secret GenerateSecretString
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-secretsmanager-secret-generatesecretstring.html
read 2026-11-21.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

_FORMATION = "ministack.services.cloudformation.provisioners"
_SECRETS = "ministack.services.secretsmanager"
_HANDLERS = Hook(_FORMATION, "_RESOURCE_HANDLERS")
_STRING = Hook(_FORMATION, "_sm_secret_string", ("props",))
_CREATE = Hook(_FORMATION, "_sm_secret_create", ("logical_id", "props", "stack_name"))
_UPDATE = Hook(
    _FORMATION,
    "_sm_secret_update",
    ("physical_id", "old_props", "new_props", "stack_name", "logical_id"),
)
_DELETE = Hook(_FORMATION, "_sm_secret_delete", ("physical_id", "props"))
_PASSWORD = Hook(_SECRETS, "_get_random_password", ("data",))
HOOKS = (_HANDLERS, _STRING, _CREATE, _UPDATE, _DELETE, _PASSWORD)

_TYPE = "AWS::SecretsManager::Secret"
_NUMBERS = {"PasswordLength": 32}
_FLAGS = {
    "ExcludeNumbers": False,
    "ExcludePunctuation": False,
    "ExcludeUppercase": False,
    "ExcludeLowercase": False,
    "IncludeSpace": False,
    "RequireEachIncludedType": True,
}
_BAD_REQUEST = 400

Properties = dict[str, Any]
Made = tuple[str, dict[str, str]]


def password_options(generate: Properties) -> Properties:
    """Return GetRandomPassword's arguments for a GenerateSecretString; templates may have text."""
    options: Properties = {"ExcludeCharacters": str(generate.get("ExcludeCharacters") or "")}
    for name, default in _NUMBERS.items():
        options[name] = int(generate.get(name, default))
    for name, by_default in _FLAGS.items():
        options[name] = str(generate.get(name, by_default)).lower() == "true"
    return options


def secret_string(properties: Properties, password: Callable[[Properties], str]) -> str:
    """Return the value that a template gives a secret, generated if it says so.

    Args:
        properties: The resource's.
        password: Makes a password from GetRandomPassword's arguments.

    Raises:
        ValueError: The template's own string has no place for the password.
    """
    generate = properties.get("GenerateSecretString")
    if generate is None:
        return str(properties.get("SecretString", ""))
    template, key = generate.get("SecretStringTemplate"), generate.get("GenerateStringKey")
    if (template is None) != (key is None):
        raise ValueError(f"{_TYPE}: SecretStringTemplate and GenerateStringKey go together.")
    made = password(password_options(generate))
    if template is None:
        return made
    try:
        document = json.loads(template)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ValueError(f"{_TYPE}: SecretStringTemplate is no JSON object.")
    return json.dumps({**document, key: made}, ensure_ascii=False)


def _password(options: Properties) -> str:
    status, _, body = find(_PASSWORD)(options)
    answer = json.loads(body)
    if status >= _BAD_REQUEST:
        raise ValueError(f"{_TYPE}: {answer.get('message')}")
    return str(answer["RandomPassword"])


def name_of(arn: str) -> str:
    """Return the name of the secret with this ARN, which ends in a hyphen and six characters."""
    return arn.partition(":secret:")[2][:-7] if arn.startswith("arn:") else arn


def install() -> None:
    """Replace the generator, and the name by the ARN."""
    _STRING.replace(lambda _: lambda props: secret_string(props, _password))
    create, update, delete = find(_CREATE), find(_UPDATE), find(_DELETE)

    def by_arn(made: Made) -> Made:
        _, attributes = made
        return attributes["Arn"], attributes

    def created(logical_id: str, properties: Properties, stack: str) -> Made:
        return by_arn(create(logical_id, properties, stack))

    def updated(
        arn: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
    ) -> Made:
        return by_arn(update(name_of(arn), old, new, stack, logical_id))

    def deleted(arn: str, properties: Properties) -> None:
        delete(name_of(arn), properties)

    find(_HANDLERS)[_TYPE] |= {"create": created, "update": updated, "delete": deleted}
