"""What to run when something of the network is missing or closed, without losing what is there."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from odyssey_cli.flows.network import STACK
from odyssey_constructs.ssh_source import ssh_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from odyssey_cli.flows.network.topology import Network, Rule
    from odyssey_cli.target import Target

_SSH = (22, 22)
# What stacks/network.py writes to the rule of `ssh_cidr`.
_OWN_RULE = "SSH from whoever deployed this"
# Where what decides is named already; to start anew would cost the hosts.
PUT_BACK = (
    "The stack has left it open, so somebody has closed it by hand: put that back, for a "
    "deployment does not."
)
_OTHERS = "Give your other options (such as budget_email) again, too, or keep them in cdk.json."


def deploy(
    target: Target,
    outputs: Mapping[str, str],
    network: Network | None,
    *,
    my_ip: bool = False,
    **wanted: str,
) -> str:
    """Return the command that deploys what is there and what is wanted, and what to add to it.

    A deployment remembers no options of the one before: one that is left out takes away what it
    has brought, such as the private host with all that is on it.

    Args:
        target: where the stack is deployed.
        outputs: the stack's.
        network: as it is deployed; None if it is not known.
        my_ip: whether SSH is wanted from the user's own address.
        wanted: options, by their names.
    """
    options = _options(outputs, network) | wanted
    if my_ip:
        # The option and --my-ip both say who may, so they exclude each other.
        options.pop("ssh_cidr", None)
    words = ["./odyssey", "deploy", STACK]
    for name, value in sorted(options.items()):
        words += ["-c", f"{name}={value}"]
    if my_ip:
        words.append("--my-ip")
    return f"{shlex.join(words)}{_to(target)}. {_OTHERS}"


def anew(target: Target, outputs: Mapping[str, str], network: Network | None = None) -> str:
    """Return how to get back what somebody has deleted or overwritten by hand.

    To deploy again would not do: CloudFormation compares templates, not what is there.
    """
    destroy = f"./odyssey destroy {STACK}{_to(target)}"
    return (
        f"A deployment does not bring back what was deleted by hand: run {destroy}, which takes "
        f"the hosts with it, then {deploy(target, outputs, network)}"
    )


def _options(outputs: Mapping[str, str], network: Network | None) -> dict[str, str]:
    """Return the options with which the network has been deployed, as far as it shows them."""
    options: dict[str, str] = {}
    if "PrivateHostId" in outputs:
        options["private_host"] = "endpoint" if "ConnectEndpointId" in outputs else "jump"
    if network is None:
        return options
    # One that somebody deletes is described for an hour.
    if any(each.state in ("pending", "available") for each in network.nat_gateways):
        options["nat_gateway"] = "true"
    if source := ssh_cidr(outputs, network):
        options["ssh_cidr"] = source
    return options


def ssh_cidr(outputs: Mapping[str, str], network: Network) -> str | None:
    """Return from where SSH is open on the public host; None for nowhere, or nowhere of ours."""
    found = [each for each in _inbound(outputs, network) if _is_source(each)]
    if len(found) > 1:
        # The option is one block, so the others were added by hand, which deploying keeps.
        found = [each for each in found if each.description == _OWN_RULE]
    return found[0].peer if len(found) == 1 else None


def _inbound(outputs: Mapping[str, str], network: Network) -> Iterator[Rule]:
    host = network.host(outputs.get("HostId", ""))
    for group in network.groups:
        # Of a host that is gone the group is still there; the private host's names no addresses.
        if host is None or group.id in host.groups:
            yield from (each for each in group.rules if not each.is_egress)


def _is_source(rule: Rule) -> bool:
    """Whether a rule can be the option's: one of port 22, from addresses that it takes."""
    if (rule.protocol, rule.ports) != ("tcp", _SSH):
        return False
    try:
        return ssh_source(rule.peer) == rule.peer
    except ValueError:
        return False


def _to(target: Target) -> str:
    return "" if target.local is not None else " --target aws"
