"""The APIs of the templates are those that are described, route by route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openapi_spec_validator import OpenAPIV31SpecValidator

from odyssey_cli.openapi.document import APIS, document
from odyssey_cli.openapi.routes import routes

if TYPE_CHECKING:
    from tests.template.synth import Template


def test_every_route_of_every_stack_is_described_with_its_function_and_nothing_else_is(
    template: Template, stack: str
) -> None:
    found = {route.name: route.handler for route in routes(template)}
    api = APIS.get(stack)
    described = {name: each.handler for name, each in api.operations.items()} if api else {}
    assert found == described


def test_every_document_is_valid_and_says_who_may(template: Template, stack: str) -> None:
    if stack not in APIS:
        return
    made = document(stack, routes(template))
    OpenAPIV31SpecValidator(made).validate()
    schemes = set(made["components"]["securitySchemes"])
    assert all(
        operation["security"] and all(set(each) <= schemes for each in operation["security"])
        for methods in made["paths"].values()
        for operation in methods.values()
    )


def test_what_iam_protects_is_said_to_be_signed(template: Template, stack: str) -> None:
    for route in routes(template):
        assert route.is_signed == route.is_rest == (stack != "PubSub")
