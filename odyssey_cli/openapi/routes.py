"""The routes of a template's APIs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from odyssey_cli.templates import Resources, of, referenced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Route:
    """A route of an API.

    Attributes:
        name: method and path, e.g. `GET /words/{word}`.
        handler: the module of its function.
        is_rest: whether it is a REST API's, not an HTTP API's.
        is_signed: whether the caller must sign with IAM credentials.
    """

    name: str
    handler: str
    is_rest: bool
    is_signed: bool


def routes(template: Mapping[str, Any]) -> list[Route]:
    """Return the routes of a template, in its order."""
    resources: Resources = template["Resources"]
    return [*_of_rest(resources), *_of_http(resources)]


def _of_rest(resources: Resources) -> Iterator[Route]:
    for method in of(resources, "AWS::ApiGateway::Method"):
        yield Route(
            f"{method['HttpMethod']} {_path(resources, method['ResourceId']) or '/'}",
            _handler(resources, method["Integration"]["Uri"]),
            is_rest=True,
            is_signed=method["AuthorizationType"] == "AWS_IAM",
        )


def _of_http(resources: Resources) -> Iterator[Route]:
    for route in of(resources, "AWS::ApiGatewayV2::Route"):
        [integration] = referenced(route["Target"])
        uri = resources[integration]["Properties"]["IntegrationUri"]
        yield Route(
            route["RouteKey"],
            _handler(resources, uri),
            is_rest=False,
            is_signed=route.get("AuthorizationType") == "AWS_IAM",
        )


def _path(resources: Resources, resource_id: dict[str, Any]) -> str:
    if "Ref" not in resource_id:
        return ""  # the API's root
    properties = resources[resource_id["Ref"]]["Properties"]
    return f"{_path(resources, properties['ParentId'])}/{properties['PathPart']}"


def _handler(resources: Resources, uri: object) -> str:
    [function] = [
        resources[each]["Properties"]
        for each in referenced(uri)
        if resources.get(each, {}).get("Type") == "AWS::Lambda::Function"
    ]
    module, _, _ = str(function["Handler"]).rpartition(".")
    return module
