"""How this extension adds types of templates to MiniStack's EC2, and what its pieces share.

A piece says what a resource does in plain functions that raise `Refusal`; here that becomes
CloudFormation's reason for a resource that failed. `ec2_answers` makes it EC2's answer.

- "Update behaviors of stack resources"
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
- "Resource tag" (CloudFormation's own tags, and a stack's)
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-resource-tags.html
read 2026-11-21.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from local_cloud import ec2_answers
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

EC2 = "ministack.services.ec2"
FORMATION = "ministack.services.cloudformation.provisioners"
_ACTIONS = Hook(EC2, "_ACTION_MAP")
_SPECIFIED_TAGS = Hook(EC2, "_parse_tag_specs", ("p", "resource_type", "resource_id"))
_ACCOUNT = Hook(EC2, "get_account_id", ())
_REGION = Hook(EC2, "get_region", ())
_NOW = Hook(EC2, "_now_ts", ())
_HANDLERS = Hook(FORMATION, "_RESOURCE_HANDLERS")
_REPLACING = Hook(FORMATION, "_REPLACING_PROPERTIES")
_STACK_TAGS = Hook(FORMATION, "_STACK_TAG_PROPERTY")
_APPLY_TAGS = Hook(FORMATION, "_ec2_apply_tags", ("physical_id", "props", "old_props"))
_NAME = Hook(
    FORMATION, "_physical_name", ("stack_name", "logical_id", "lowercase", "max_len", "seeded")
)
HOOKS = (
    _ACTIONS,
    _SPECIFIED_TAGS,
    _ACCOUNT,
    _REGION,
    _NOW,
    _HANDLERS,
    _REPLACING,
    _STACK_TAGS,
    _APPLY_TAGS,
    _NAME,
)

Record = dict[str, Any]
Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]

DONE = "<return>true</return>"


def in_use(kind: str, id: str) -> Refusal:
    """Return the refusal to delete what something else still needs."""
    return Refusal(
        "DependencyViolation", f"The {kind} '{id}' has dependencies and cannot be deleted."
    )


def yes(value: object) -> bool:
    """Read a boolean of a request or a template, where it may be text."""
    return str(value).lower() == "true"


def account() -> str:
    """Return the account that is asking."""
    return str(find(_ACCOUNT)())


def region() -> str:
    """Return the region that is asked."""
    return str(find(_REGION)())


def now() -> str:
    """Return the time as EC2 writes it."""
    return str(find(_NOW)())


def new_id(prefix: str) -> str:
    """Return an id that nothing has yet."""
    return f"{prefix}-{secrets.token_hex(9)[:17]}"


def known(store: Mapping[str, Record], id: str, code: str, kind: str) -> Record:
    """Return the record of an id; raises Refusal if there is none."""
    record = store.get(id)
    if record is None:
        raise Refusal(code, f"The {kind} ID '{id}' does not exist")
    return record


def asked_for(
    store: Mapping[str, Record],
    parameters: Parameters,
    id_name: str,
    missing: tuple[str, str],
    values: Callable[[Record], Mapping[str, Iterable[str]]],
) -> list[Record]:
    """Return the records that a Describe call asks for.

    Args:
        store: All that there are, by id.
        parameters: The call's.
        id_name: What the call names ids by, such as `VpcId`.
        missing: The error's code and the kind of thing, for an id that does not exist.
        values: What a record has, by the name of the filter.
    """
    ids = ec2_answers.members(parameters, id_name)
    named = {each: known(store, each, *missing) for each in ids} if ids else dict(store.items())
    wanted = ec2_answers.filters(parameters)
    if not named:
        return []
    return [
        record
        for each, record in named.items()
        if ec2_answers.matches(each, values(record), wanted)
    ]


def set_tags(id: str, parameters: Parameters, kind: str) -> None:
    """Give a new resource the tags of its Create request."""
    find(_SPECIFIED_TAGS)(parameters, kind, id)


def afterwards(action: str, settle: Callable[[], None]) -> None:
    """Do `settle` after an action has been answered."""
    then = ec2_answers.action(action)

    def settled(parameters: Parameters) -> ec2_answers.Response:
        answered = then(parameters)
        settle()
        return answered

    find(_ACTIONS)[action] = settled


def provide(
    type: str,
    *,
    create: Callable[[str, Properties, str], Made],
    delete: Callable[[str, Properties], None],
    update: Callable[[str, Properties, Properties], Made] | None = None,
    replacing: Iterable[str] = (),
    tags: bool = False,
) -> None:
    """Register a type of CloudFormation's.

    Args:
        type: Its name.
        create: Takes logical id, properties and stack; returns the physical id and attributes.
        delete: Takes the physical id and the properties.
        update: Takes the physical id, the old and the new properties, which differ in none that
            replaces the resource. None if all of them do.
        replacing: The properties whose change replaces the resource.
        tags: Whether it has Tags, which CloudFormation then adds its own to.
    """
    handlers: Record = {
        "create": told(type, "create", create),
        "delete": told(type, "delete", delete),
    }
    if update:
        changed = told(type, "update", update)
        handlers["update"] = lambda made, old, new, _stack: changed(made, old, new)
    find(_HANDLERS)[type] = handlers
    find(_REPLACING)[type] = tuple(replacing)
    if tags:
        find(_STACK_TAGS)[type] = ("Tags", "list")


def told(type: str, doing: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a refusal say which type's what failed, as CloudFormation's other reasons here do."""

    def call(*arguments: Any) -> Any:  # noqa: ANN401 -- MiniStack's
        try:
            return function(*arguments)
        except Refusal as refused:
            raise ValueError(f"{type} {doing} failed: {refused}") from refused

    return call


def template_tags(id: str, new: Properties, old: Properties | None = None) -> None:
    """Give a resource the tags of its template; those it has from elsewhere stay."""
    find(_APPLY_TAGS)(id, new, old)


def generated_name(stack: str, logical_id: str, longest: int = 128) -> str:
    """Return the name that CloudFormation gives what has none."""
    return str(find(_NAME)(stack, logical_id, max_len=longest))


def refuse(properties: Properties, *names: str) -> None:
    """Refuse a template that uses what the local cloud does not do."""
    for name in names:
        if properties.get(name):
            raise Refusal("UnsupportedOperation", f"{name} is not in the local cloud.")
