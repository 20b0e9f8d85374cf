"""Finding one's way in a synthesized template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# By logical id.
Resources = dict[str, dict[str, Any]]


def of(resources: Resources, type: str) -> Iterator[dict[str, Any]]:
    """Return the properties of the resources of a type."""
    return (each["Properties"] for each in resources.values() if each["Type"] == type)


def referenced(value: object) -> list[str]:
    """Return the logical ids that an expression refers to, in order."""
    if isinstance(value, dict):
        if "Ref" in value:
            return [value["Ref"]]
        if "Fn::GetAtt" in value:
            return [value["Fn::GetAtt"][0]]
        value = list(value.values())
    if isinstance(value, list):
        return [found for each in value for found in referenced(each)]
    return []
