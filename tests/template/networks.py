"""The Network stack by itself, in as many variants as a test wants to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import App

from app import context_defaults
from odyssey_constructs.config import Config
from odyssey_constructs.images import image
from stacks.network import Network
from tests.template.synth import read, resources, target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.template.synth import Template

ANYWHERE = "0.0.0.0/0"
ME = "203.0.113.7/32"
ACCOUNT, REGION = "123456789012", "eu-north-1"
# Where the CDK says that it synthesizes for an account.
SOMEWHERE = {"CDK_DEFAULT_ACCOUNT": ACCOUNT, "CDK_DEFAULT_REGION": REGION}
# Settings of a network, by what one would call it.
VARIANTS: dict[str, dict[str, object]] = {
    "as it is": {},
    "one zone": {"vpc_zones": "1"},
    "a way out": {"nat_gateway": "true"},
    "a way out of one zone": {"nat_gateway": "true", "vpc_zones": "1"},
    "ssh": {"ssh_cidr": ME},
    "endpoint": {"private_host": "endpoint"},
    "jump": {"private_host": "jump"},
    "budget": {"budget_email": "me@example.com"},
    "everything": {
        "nat_gateway": "true",
        "ssh_cidr": ME,
        "private_host": "endpoint",
        "budget_email": "me@example.com",
    },
    "everything, jumped to": {"nat_gateway": "true", "ssh_cidr": ME, "private_host": "jump"},
}


class Networks:
    """Synthesizes the stack alone, which takes a tenth of a second, once for the same settings."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Path] = {}

    def folder(self, environment: Mapping[str, str] = SOMEWHERE, /, **settings: object) -> Path:
        """Return the assembly of a network with these settings, with the paths of constructs."""
        key = repr((sorted(environment.items()), sorted(settings.items())))
        if key not in self._made:
            folder = self._folder / str(len(self._made))
            app = App(
                outdir=str(folder),
                context={**context_defaults(), "aws:cdk:enable-path-metadata": True, **settings},
                builtin_cloud_formation_validation=False,
            )
            context = app.node.get_all_context()
            config = Config.from_context(context)
            Network(app, "Network", ami=image(config, context, environment), config=config)
            app.synth()
            self._made[key] = folder
        return self._made[key]

    def __call__(
        self, environment: Mapping[str, str] = SOMEWHERE, /, **settings: object
    ) -> Template:
        """Return the template of a network with these settings."""
        return read(self.folder(environment, **settings) / "Network.template.json")


# Who is let in or where one may go, and the first and the last port.
Rule = tuple[str, int, int]
_PEERS = {
    *("CidrIp", "CidrIpv6", "SourceSecurityGroupId", "SourcePrefixListId"),
    *("DestinationSecurityGroupId", "DestinationPrefixListId"),
}


def rules(template: Template, way: str) -> dict[str, list[Rule]]:
    """Return the rules of each security group, those that are resources of their own as well.

    Args:
        template: what has them.
        way: `Ingress` or `Egress`.
    """
    found: dict[str, list[Rule]] = {
        _name(logical_id): [
            _rule(each) for each in group["Properties"].get(f"SecurityGroup{way}", [])
        ]
        for logical_id, group in resources(template, "AWS::EC2::SecurityGroup").items()
    }
    for rule in resources(template, f"AWS::EC2::SecurityGroup{way}").values():
        found[_group(rule["Properties"]["GroupId"])].append(_rule(rule["Properties"]))
    return {name: sorted(each) for name, each in found.items()}


def _rule(rule: dict[str, Any]) -> Rule:
    assert rule["IpProtocol"] == "tcp"
    [peer] = _PEERS & set(rule)
    who = rule[peer] if isinstance(rule[peer], str) else _group(rule[peer])
    return who, rule["FromPort"], rule["ToPort"]


def _group(reference: dict[str, Any]) -> str:
    return _name(target(reference).strip("<>").removesuffix(".GroupId"))


def _name(logical_id: str) -> str:
    """Return the name of a construct's resource, without the hash."""
    return logical_id[:-8]
