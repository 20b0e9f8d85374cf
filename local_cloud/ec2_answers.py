"""What MiniStack's EC2 answers in XML, written from plain values, and what it refuses.

- "Error codes for the Amazon EC2 API"
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
- "List and filter using the API" (values may have * and ?)
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_EC2 = "ministack.services.ec2"
_ACTIONS = Hook(_EC2, "_ACTION_MAP")
_ERROR = Hook(_EC2, "_error", ("code", "message", "status"))
_XML = Hook(_EC2, "_xml", ("status", "root_tag", "inner"))
_FIRST = Hook(_EC2, "_p", ("params", "key", "default"))
_MEMBERS = Hook(_EC2, "_parse_member_list", ("params", "prefix"))
_FILTERS = Hook(_EC2, "_parse_filters", ("params",))
_GLOB = Hook(_EC2, "_glob_match", ("pattern", "value"))
_TAGS_MATCH = Hook(_EC2, "_resource_matches_tag_filters", ("resource_id", "filters"))
_TAGS = Hook(_EC2, "_tags")
_KIND = Hook(_EC2, "_guess_resource_type", ("resource_id",))
HOOKS = (
    _ACTIONS,
    _ERROR,
    _XML,
    _FIRST,
    _MEMBERS,
    _FILTERS,
    _GLOB,
    _TAGS_MATCH,
    _TAGS,
    _KIND,
)

_BAD_REQUEST = 400
_OF_TAGS = ("tag:", "tag-key", "tag-value")

Parameters = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]


class Refusal(ValueError):  # noqa: N818 -- EC2 refuses, it does not fail
    """What EC2 refuses, by its error code; as text what a stack's event says."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def xml(name: str, value: Any) -> str:  # noqa: ANN401 -- any value of an answer
    """Write an element of an EC2 answer; None writes nothing, a list has its `item`s."""
    if value is None:
        return ""
    if isinstance(value, bool):
        content = str(value).lower()
    elif isinstance(value, dict):
        content = elements(value)
    elif isinstance(value, list | tuple):
        content = "".join(xml("item", each) for each in value)
    else:
        content = escape(str(value))
    return f"<{name}>{content}</{name}>"


def elements(values: Mapping[str, Any]) -> str:
    """Write the elements of an answer, in order."""
    return "".join(xml(name, value) for name, value in values.items())


def tag_set(resource_id: str) -> list[dict[str, str]]:
    """Return a resource's tags as answers have them."""
    tags = find(_TAGS).get(resource_id) or []
    return [{"key": tag["Key"], "value": tag.get("Value", "")} for tag in tags]


def untag(resource_id: str) -> None:
    """Forget the tags of a resource that is gone."""
    find(_TAGS).pop(resource_id, None)


def first(parameters: Parameters, name: str, default: str = "") -> str:
    """Return a request's parameter."""
    return str(find(_FIRST)(parameters, name, default))


def members(parameters: Parameters, name: str) -> list[str]:
    """Return a request's list parameter, e.g. `InstanceId` of `InstanceId.1` and so on."""
    return [str(each) for each in find(_MEMBERS)(parameters, name)]


def action(name: str) -> Callable[[Parameters], Response]:
    """Return what answers an action of the EC2 API now."""
    found: Callable[[Parameters], Response] = find(_ACTIONS)[name]
    return found


def answer(name: str, make: Callable[[Parameters], str | None]) -> None:
    """Let `make` write the content of an action's answer; it may raise a Refusal.

    Where it returns None, the action is answered as it was before.
    """
    before = find(_ACTIONS).get(name)

    def handled(parameters: Parameters) -> Response:
        answered: Response
        try:
            content = make(parameters)
        except Refusal as refused:
            answered = find(_ERROR)(refused.code, escape(refused.message), _BAD_REQUEST)
            return answered
        if content is None:
            answered = before(parameters)
        else:
            answered = find(_XML)(200, f"{name}Response", content)
        return answered

    find(_ACTIONS)[name] = handled


def guard(name: str, check: Callable[[Parameters], None]) -> None:
    """Let an action be done only if `check` raises no Refusal."""
    then = action(name)

    def handled(parameters: Parameters) -> Response:
        try:
            check(parameters)
        except Refusal as refused:
            answered: Response = find(_ERROR)(refused.code, escape(refused.message), _BAD_REQUEST)
            return answered
        return then(parameters)

    find(_ACTIONS)[name] = handled


def filters(parameters: Parameters) -> dict[str, list[str]]:
    """Return a request's filters: their values by name."""
    found: dict[str, list[str]] = find(_FILTERS)(parameters)
    return found


def check_filters(wanted: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a filter that is not known: ignored, it would find what was not asked for."""
    for name in wanted:
        if name not in known and not name.startswith(_OF_TAGS):
            raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")


def matches(
    resource_id: str, values: Mapping[str, Iterable[str]], wanted: Mapping[str, list[str]]
) -> bool:
    """Say whether a resource passes all filters.

    Args:
        resource_id: for its tags.
        values: what it has, by the name of the filter.
        wanted: the filters.
    """
    check_filters(wanted, values)
    for name, patterns in wanted.items():
        if name.startswith(_OF_TAGS):
            continue
        if not any(find(_GLOB)(pattern, value) for pattern in patterns for value in values[name]):
            return False
    return bool(find(_TAGS_MATCH)(resource_id, wanted))


def kind_of(prefix: str, name: str) -> None:
    """Let DescribeTags say `name` of resources whose id starts with `prefix`."""

    def make(guess: Callable[[str], str]) -> Callable[[str], str]:
        return lambda resource_id: name if resource_id.startswith(prefix) else guess(resource_id)

    _KIND.replace(make)
