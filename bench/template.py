"""Reads what a benchmark needs out of a synthesized stack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# What says the format of an API's access log, by the type of its stage.
_ACCESS_LOGS = {
    "AWS::ApiGateway::Stage": "AccessLogSetting",
    "AWS::ApiGatewayV2::Stage": "AccessLogSettings",
}


@dataclass(frozen=True)
class Template:
    """A synthesized stack.

    Attributes:
        name: the stack's.
        resources: CloudFormation resources by logical id.
        assets: where the code of a function is, by the key its template names.
    """

    name: str
    resources: dict[str, dict[str, Any]]
    assets: dict[str, Path]

    @classmethod
    def read(cls, assembly: Path, name: str) -> Template:
        """Read one stack of a cloud assembly."""
        template = json.loads((assembly / f"{name}.template.json").read_text(encoding="utf-8"))
        published = json.loads((assembly / f"{name}.assets.json").read_text(encoding="utf-8"))
        assets = {
            place["objectKey"]: assembly / file["source"]["path"]
            for file in published.get("files", {}).values()
            for place in file["destinations"].values()
        }
        return cls(name, template["Resources"], assets)

    def of_type(self, type: str) -> dict[str, dict[str, Any]]:
        """Return the properties of all resources of a type, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == type
        }

    def handlers(self) -> dict[str, dict[str, Any]]:
        """Return the properties of our Python functions, by module (`package.module`)."""
        return {
            each["Handler"].removesuffix(".handler"): each
            for each in self.of_type("AWS::Lambda::Function").values()
            if each.get("Handler", "").endswith(".handler") and "S3Key" in each.get("Code", {})
        }

    def bundle(self, module: str) -> Path:
        """Return the bundle of a function."""
        return self.assets[self.handlers()[module]["Code"]["S3Key"]]

    def environment(self, module: str) -> dict[str, str]:
        """Return a function's variables; what refers to a resource is its logical id."""
        variables = self.handlers()[module].get("Environment", {}).get("Variables", {})
        return {name: _text(value) for name, value in variables.items()}

    def memory(self, module: str) -> float:
        """Return a function's memory in GB, as Lambda bills it."""
        return int(self.handlers()[module]["MemorySize"]) / 1024

    def batch_size(self, module: str) -> int:
        """Return how many records an event source hands to a function at most."""
        handler = f"{module}.handler"
        for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values():
            function = self.resources[mapping["FunctionName"]["Ref"]]["Properties"]
            if function["Handler"] == handler:
                return int(mapping["BatchSize"])
        raise LookupError(f"No event source invokes {handler}.")

    def indexes(self) -> dict[str, int]:
        """Return how many indexes each table has, by the table's logical id."""
        tables = self.of_type("AWS::DynamoDB::Table")
        return {name: len(each.get("GlobalSecondaryIndexes", [])) for name, each in tables.items()}

    def keys(self) -> dict[str, list[str]]:
        """Return the attributes that are each table's key, by the table's logical id."""
        tables = self.of_type("AWS::DynamoDB::Table")
        return {
            name: [key["AttributeName"] for key in each["KeySchema"]]
            for name, each in tables.items()
        }

    def access_log_bytes(self) -> int:
        """Return the length of an access-log line: its format's, whose names stand for values."""
        formats = [
            each.get(setting, {}).get("Format", "")
            for kind, setting in _ACCESS_LOGS.items()
            for each in self.of_type(kind).values()
        ]
        return max((len(_text(each)) for each in formats), default=0)


def _text(value: object) -> str:
    """Return a property's value as text; what it refers to by logical id."""
    if isinstance(value, dict):
        [(_, inner)] = value.items()
        return str(inner[0]) if isinstance(inner, list) else str(inner)
    return str(value)
