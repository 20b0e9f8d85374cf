"""Deploys a network twice, looks at it as its users would, and asks who reaches whom."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from odyssey_cli import breaking, cdk, kept_image
from odyssey_cli.demo.checks import expect
from odyssey_cli.demo.network_template import Template, described, said
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.network import STACK, keys
from odyssey_cli.flows.network.reach import reach
from odyssey_cli.flows.network.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.demo.checks import Checks
    from odyssey_cli.flows.network.reach import Verdict
    from odyssey_cli.target import Target

STACKS = [STACK]
_ALLOWED, _STRANGER = "203.0.113.7", "203.0.113.8"
_OWN_EYES = 0o400
# What the second deployment turns on; the first is as it is by default.
_OPENED = {"ssh_cidr": f"{_ALLOWED}/32", "private_host": "endpoint"}


class Drive:
    """The network under test.

    Attributes:
        target: where it is deployed, with a folder of its own for what it is deployed from.
        outputs: of the stack, as it was deployed last.
    """

    def __init__(self, target: Target) -> None:
        self.first_assembly = target.state / "cdk.out"
        self.target = replace(target, state=target.state / "network")
        self.target.state.mkdir(exist_ok=True)
        self.outputs = target.outputs(STACK)
        if target.local is None:
            raise OdysseyError("A demo needs a local cloud.", "Run ./odyssey demo network.")
        self.cloud = target.local

    def reach(self, source: str, destination: str, port: int) -> Verdict:
        """Ask the product who reaches whom in the network as it is now."""
        network = read(self.target.client("ec2"), self.outputs["VpcId"])
        return reach(network, self._named(source), self._named(destination), port)

    def gets_through(self, source: str, destination: str, port: int) -> Verdict:
        """Expect that a packet gets through."""
        verdict = self.reach(source, destination, port)
        way = f"{source} to {destination}:{port}"
        expect(verdict.gets_through, f"{way} is stopped: {verdict.decided_by}")
        return verdict

    def is_stopped(self, source: str, destination: str, port: int) -> Verdict:
        """Expect that a packet does not get through."""
        verdict = self.reach(source, destination, port)
        way = f"{source} to {destination}:{port}"
        expect(not verdict.gets_through, f"{way} gets through: {verdict.decided_by}")
        return verdict

    def _named(self, place: str) -> str:
        outputs = {"public": "HostId", "private": "PrivateHostId"}
        return self.outputs.get(outputs.get(place, ""), place)


def run(target: Target, checks: Checks) -> None:
    """Look at the deployed network and change it; every step adds a check."""
    drive = Drive(target)
    for name, step in STEPS:
        with checks.check(name) as check:
            check.detail = step(drive)


def _described(drive: Drive) -> str:
    template = Template.deployed(drive.target, drive.first_assembly, STACK)
    wanted = said(template)
    found = described(drive.target.client("ec2"), drive.outputs["VpcId"])
    expect(wanted <= found, f"not there: {sorted(wanted - found)}")
    expect(found <= wanted, f"not in the template: {sorted(found - wanted)}")
    return f"{len(found)} facts, the default security group without any rule"


def _key(drive: Drive) -> str:
    client = drive.target.client("ec2")
    [pair] = client.describe_key_pairs(KeyPairIds=[drive.outputs["KeyPairId"]])["KeyPairs"]
    file = drive.target.state / "key.pem"
    fetched = keys.save(drive.target, drive.outputs, file)
    expect(fetched.fingerprint == pair["KeyFingerprint"], f"{fetched.fingerprint}, not the pair's")
    again = keys.save(drive.target, drive.outputs, file)
    expect(fetched.is_new and not again.is_new, "it was written twice")
    mode = file.stat().st_mode & 0o777
    expect(mode == _OWN_EYES, f"its mode is {mode:o}")
    return f"{pair['KeyType']} {fetched.fingerprint}"


def _closed(drive: Drive) -> str:
    verdict = drive.is_stopped("internet", "public", 22)
    drive.gets_through("public", "internet", 443)
    drive.is_stopped("public", "internet", 80)
    return f"22: {verdict.decided_by}"


def _too_wide(drive: Drive) -> str:
    refused = []
    for cidr in ("0.0.0.0/0", "203.0.0.0/16"):
        try:
            cdk.synthesize(drive.target, context={"ssh_cidr": cidr})
        except OdysseyError as error:
            refused.append(error.problem)
    expect(len(refused) == 2, "it was synthesized")  # noqa: PLR2004 - both
    return refused[1]


def _opened(drive: Drive) -> str:
    """Deploy again with SSH and a private host, after AWS has published a newer image."""
    before = drive.outputs
    kept_image.remember(drive.target)
    newest = breaking.publish_image(drive.cloud)
    cdk.deploy(drive.target, cdk.synthesize(drive.target, context=_OPENED), [STACK])
    drive.outputs = drive.target.outputs(STACK)
    expect(drive.outputs["HostId"] == before["HostId"], "the host was replaced")
    hosts = [drive.outputs["HostId"], drive.outputs["PrivateHostId"]]
    answer = drive.target.client("ec2").describe_instances(InstanceIds=hosts)
    images = {host["ImageId"] for each in answer["Reservations"] for host in each["Instances"]}
    expect(len(images) == 1 and newest not in images, f"images {images}, the newest is {newest}")
    return f"both hosts have {images.pop()}, the newest is {newest}"


def _ssh_from_one(drive: Drive) -> str:
    allowed = drive.gets_through(_ALLOWED, "public", 22)
    drive.is_stopped(_STRANGER, "public", 22)
    drive.is_stopped(_ALLOWED, "public", 80)
    everybody = drive.is_stopped("internet", "public", 22)
    expect(everybody.only_from == (f"{_ALLOWED}/32",), f"admits {everybody.only_from}")
    return allowed.decided_by


def _private(drive: Drive) -> str:
    into = drive.is_stopped("internet", "private", 22)
    out = drive.is_stopped("private", "internet", 443)
    return f"in: {into.decided_by}; out: {out.decided_by}"


def _endpoint(drive: Drive) -> str:
    ways = [drive.gets_through("private", each, 443).decided_by for each in ("s3", "dynamodb")]
    expect(all("vpce-" in way for way in ways), f"not by endpoints: {ways}")
    return ways[0]


STEPS: list[tuple[str, Callable[[Drive], str]]] = [
    ("the EC2 API describes what the template says, and nothing else", _described),
    ("the private key is fetched; its fingerprint is the key pair's", _key),
    ("by default nothing gets in, and only HTTPS out", _closed),
    ("SSH from the whole internet, or from a /16, is refused at synth", _too_wide),
    ("SSH on, a private host added: the host stays, whatever image is newest", _opened),
    (f"port 22 is open to {_ALLOWED} and to nobody else", _ssh_from_one),
    ("the internet and the private host do not reach each other", _private),
    ("the private host reaches S3 and DynamoDB, by their endpoints", _endpoint),
]
