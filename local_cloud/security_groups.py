"""Security groups: rules one by one, listed as EC2 lists them, and no group lost that is in use.

MiniStack gives a default group no rule that lets its members in, forgets prefix lists in requests,
takes a rule twice, does not find the rule of a group without its description, lists every rule
apart, and deletes groups that others still name.

- AWS::EC2::SecurityGroup
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html
- "Default security groups" (their rules; cannot be deleted), "Security group rules"
  https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
  https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
- DeleteSecurityGroup (DependencyViolation), AuthorizeSecurityGroupIngress, IpPermission,
  DescribeSecurityGroupRules
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
read 2026-11-21. Not in it: groups shared with other VPCs and accounts, and quotas.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls, network_interfaces
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, FORMATION, Made, Properties, Record
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_GROUPS = Hook(EC2, "_security_groups")
_VPCS = Hook(EC2, "_vpcs")
_ENDPOINTS = Hook(EC2, "_vpc_endpoints")
_DEFAULT_VPC = Hook(EC2, "_DEFAULT_VPC_ID")
_PARSE = Hook(EC2, "_parse_ip_permissions", ("params", "prefix"))
_MATCH = Hook(EC2, "_rules_match", ("a", "b"))
_FIELDS = Hook(EC2, "_sg_xml", ("sg",))
_RULE_FIELDS = Hook(EC2, "_sg_rule_xml", ("sg_id", "rule", "is_egress"))
_RULE_ID = Hook(EC2, "_sg_rule_id", ("sg_id", "is_egress", "rule"))
_DEFAULTS = Hook(EC2, "_init_defaults", ())
_PERMISSIONS = Hook(FORMATION, "_ec2_sg_permissions", ("rules",))
_EGRESS = Hook(FORMATION, "_ec2_sg_egress_permissions", ("rules",))
_HANDLERS = Hook(FORMATION, "_RESOURCE_HANDLERS")
HOOKS = (
    _GROUPS,
    _VPCS,
    _ENDPOINTS,
    _DEFAULT_VPC,
    _PARSE,
    _MATCH,
    _FIELDS,
    _RULE_FIELDS,
    _RULE_ID,
    _DEFAULTS,
    _PERMISSIONS,
    _EGRESS,
    _HANDLERS,
)

_TYPE = "AWS::EC2::SecurityGroup"
_MISSING = "InvalidGroup.NotFound"
_SOURCES = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
# EC2 answers these by name, however they were given.
_PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
_EVERY = "-1"
_IMPLIED = "ImpliedEgress"
_IDENTIFYING = ("CidrIp", "CidrIpv6", "PrefixListId", "GroupId", "UserId")
_DIRECTIONS = ("IpPermissions", "IpPermissionsEgress")


def group_of(id: str) -> Record:
    """Return a security group; raises Refusal when there is none."""
    group: Record | None = find(_GROUPS).get(id)
    if group is None:
        raise Refusal(_MISSING, f"The security group '{id}' does not exist")
    return group


def one_by_one(permissions: Iterable[Record]) -> list[Record]:
    """Return a rule for each source of each permission, as EC2 keeps them."""
    rules = []
    for permission in permissions:
        kept = {name: value for name, value in permission.items() if name not in _SOURCES}
        number = str(kept.get("IpProtocol", _EVERY))
        kept["IpProtocol"] = _PROTOCOLS.get(number, number)
        if kept["IpProtocol"] == _EVERY:
            # Such a rule is for all ports, whichever it names.
            kept = {"IpProtocol": _EVERY}
        for name in _SOURCES:
            rules += [
                {**kept, **{each: [] for each in _SOURCES}, name: [source]}
                for source in permission.get(name, ())
            ]
    return rules


def together(rules: Iterable[Record]) -> list[Record]:
    """Return rules as EC2 lists them: one permission for each protocol and range of ports."""
    permissions: dict[tuple[Any, ...], Record] = {}
    for rule in rules:
        key = (rule.get("IpProtocol"), rule.get("FromPort"), rule.get("ToPort"))
        kept = {name: value for name, value in rule.items() if name not in _SOURCES}
        permission = permissions.setdefault(key, {**kept, **{name: [] for name in _SOURCES}})
        for name in _SOURCES:
            permission[name] += rule.get(name, ())
    return list(permissions.values())


def _identity(rule: Record) -> tuple[Any, ...]:
    """Return what makes a rule the same as another, which its description does not."""
    sources = []
    for name in _SOURCES:
        for source in rule.get(name, ()):
            of = {key: value for key, value in source.items() if key in _IDENTIFYING}
            if name == "UserIdGroupPairs":
                of.setdefault("UserId", ec2_calls.account())
            sources.append(tuple(sorted(of.items())))
    ports = (str(rule.get("FromPort", -1)), str(rule.get("ToPort", -1)))
    return (str(rule.get("IpProtocol")), ports, tuple(sources))


def is_in(rule: Record, rules: Iterable[Record]) -> bool:
    """Say whether there is such a rule already."""
    return any(_identity(rule) == _identity(other) for other in rules)


def duplicate() -> Refusal:
    """Return the refusal of a rule that is there already."""
    return Refusal("InvalidPermission.Duplicate", "the specified rule already exists")


def check_sources(rule: Record, vpc_id: str) -> None:
    """Refuse a rule that refers to a group that does not exist, or not in this VPC."""
    for pair in rule["UserIdGroupPairs"]:
        own = pair.get("UserId", ec2_calls.account()) == ec2_calls.account()
        if own and "GroupId" in pair and group_of(pair["GroupId"])["VpcId"] != vpc_id:
            raise Refusal(
                _MISSING, "You have specified two resources that belong to different networks."
            )


def rules_of(given: list[Properties] | None) -> list[Record]:
    """Return the rules of a template, which has one source for each."""
    return one_by_one(find(_PERMISSIONS)(given))


def rule_id(group_id: str, rule: Record, *, egress: bool) -> str:
    """Return the id that a rule has in its group."""
    return str(find(_RULE_ID)(group_id, egress, rule))


def _check_free(id: str) -> None:
    """Refuse to delete a group that a rule of another, an interface or an endpoint names."""
    group = group_of(id)
    if group["GroupName"] == "default":
        raise Refusal(
            "CannotDelete",
            f'the specified group: "{id}" name: "default" cannot be deleted by a user',
        )
    named = any(
        pair.get("GroupId") == id
        for other in find(_GROUPS).values()
        if other["GroupId"] != id
        for direction in _DIRECTIONS
        for rule in other[direction]
        for pair in rule.get("UserIdGroupPairs", ())
    )
    of_endpoint = any(id in each.get("SecurityGroupIds", ()) for each in find(_ENDPOINTS).values())
    if named or of_endpoint or network_interfaces.users_of_group(id):
        raise Refusal("DependencyViolation", f"resource {id} has a dependent object")


def let_members_in(group: Record) -> None:
    """Give a VPC's default group its rule: whoever has the group may reach whoever has it."""
    pair = {"GroupId": group["GroupId"], "UserId": group["OwnerId"]}
    rule = {"IpProtocol": "-1", **{name: [] for name in _SOURCES}, "UserIdGroupPairs": [pair]}
    group["IpPermissions"].append(rule)


def _first_vpc(make: Callable[[], None]) -> Callable[[], None]:
    """Complete the default group of an account's default VPC when it is made."""

    def made() -> None:
        before = set(find(_GROUPS))
        make()
        for group_id in set(find(_GROUPS)) - before:
            let_members_in(find(_GROUPS)[group_id])

    return made


def _parsed(parse: Callable[[Any, str], list[Record]]) -> Callable[[Any, str], list[Record]]:
    def parsed(parameters: Parameters, prefix: str) -> list[Record]:
        permissions = parse(parameters, prefix)
        for number, permission in enumerate(permissions, 1):
            permission["PrefixListIds"] += _prefix_lists(parameters, f"{prefix}.{number}")
        return one_by_one(permissions)

    return parsed


def _prefix_lists(parameters: Parameters, prefix: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    while True:
        at = f"{prefix}.PrefixListIds.{len(found) + 1}"
        given = {
            name: value
            for name in ("PrefixListId", "Description")
            if (value := answers.first(parameters, f"{at}.{name}"))
        }
        if not given:
            return found
        found.append(given)


def _rules(parameters: Parameters) -> list[Record]:
    rules: list[Record] = find(_PARSE)(parameters, "IpPermissions")
    return rules


def drop_implied_egress(group: Record) -> None:
    """Take away the rule that lets all out, of a group whose template said nothing of it."""
    if group.pop(_IMPLIED, False):
        implied = find(_EGRESS)([])
        rules = group["IpPermissionsEgress"]
        group["IpPermissionsEgress"] = [each for each in rules if not is_in(each, implied)]


def _may_create(parameters: Parameters) -> None:
    if vpc_id := answers.first(parameters, "VpcId"):
        ec2_calls.known(find(_VPCS), vpc_id, "InvalidVpcID.NotFound", "vpc")


def _may_authorize(parameters: Parameters, direction: str) -> None:
    group = group_of(answers.first(parameters, "GroupId"))
    for rule in _rules(parameters):
        check_sources(rule, group["VpcId"])
        if is_in(rule, group[direction]):
            raise duplicate()


def _may_revoke(parameters: Parameters, direction: str) -> None:
    group = group_of(answers.first(parameters, "GroupId"))
    if not all(is_in(rule, group[direction]) for rule in _rules(parameters)):
        raise Refusal(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        )


def _listed(write: Callable[[Record], str]) -> Callable[[Record], str]:
    def listed(group: Record) -> str:
        return write({**group, **{each: together(group[each]) for each in _DIRECTIONS}})

    return listed


def _rule_fields(group_id: str, rule: Record, is_egress: bool = False) -> str:
    own_id = rule_id(group_id, rule, egress=is_egress)
    [source] = [source for name in _SOURCES for source in rule.get(name, ())]
    pair = source if "GroupId" in source else None
    return answers.xml(
        "item",
        {
            "securityGroupRuleId": own_id,
            "groupId": group_id,
            "groupOwnerId": ec2_calls.account(),
            "isEgress": is_egress,
            "ipProtocol": rule.get("IpProtocol", "-1"),
            "fromPort": rule.get("FromPort", -1),
            "toPort": rule.get("ToPort", -1),
            "cidrIpv4": source.get("CidrIp"),
            "cidrIpv6": source.get("CidrIpv6"),
            "prefixListId": source.get("PrefixListId"),
            "referencedGroupInfo": pair
            and {
                "groupId": pair["GroupId"],
                "userId": pair.get("UserId") or ec2_calls.account(),
            },
            "description": source.get("Description"),
            "securityGroupRuleArn": (
                f"arn:aws:ec2:{ec2_calls.region()}:{ec2_calls.account()}:security-group-rule/{own_id}"
            ),
            "tagSet": answers.tag_set(own_id),
        },
    )


def _create(logical_id: str, properties: Properties, stack: str) -> Made:
    vpc_id = properties.get("VpcId") or find(_DEFAULT_VPC)
    ec2_calls.known(find(_VPCS), vpc_id, "InvalidVpcID.NotFound", "vpc")
    name = properties.get("GroupName") or ec2_calls.generated_name(stack, logical_id, 255)
    of_vpc = [each for each in find(_GROUPS).values() if each["VpcId"] == vpc_id]
    if name in [each["GroupName"] for each in of_vpc]:
        raise Refusal(
            "InvalidGroup.Duplicate",
            f"The security group '{name}' already exists for VPC '{vpc_id}'",
        )
    outward = _template_rules(properties.get("SecurityGroupEgress"), vpc_id)
    group_id = ec2_calls.new_id("sg")
    group = {
        "GroupId": group_id,
        "GroupName": name,
        "Description": properties["GroupDescription"],
        "VpcId": vpc_id,
        "OwnerId": ec2_calls.account(),
        "IpPermissions": _template_rules(properties.get("SecurityGroupIngress"), vpc_id),
        "IpPermissionsEgress": outward or find(_EGRESS)([]),
        _IMPLIED: not outward,
    }
    find(_GROUPS)[group_id] = group
    ec2_calls.template_tags(group_id, properties)
    return _made(group)


def _template_rules(given: list[Properties] | None, vpc_id: str) -> list[Record]:
    rules = rules_of(given)
    for number, rule in enumerate(rules):
        check_sources(rule, vpc_id)
        if is_in(rule, rules[:number]):
            raise duplicate()
    return rules


def _made(group: Record) -> Made:
    group_id = group["GroupId"]
    return group_id, {"GroupId": group_id, "Id": group_id, "VpcId": group["VpcId"]}


def _update(id: str, old: Properties, new: Properties) -> Made:
    group = group_of(id)
    for name, direction in zip(
        ("SecurityGroupIngress", "SecurityGroupEgress"), _DIRECTIONS, strict=True
    ):
        if old.get(name) != new.get(name):
            had = rules_of(old.get(name))
            if name == "SecurityGroupEgress":
                had = had or find(_EGRESS)([])
            # Once it is made, a group without egress rules in its template has none.
            wanted = _template_rules(new.get(name), group["VpcId"])
            kept = [rule for rule in group[direction] if not is_in(rule, had)]
            if any(is_in(rule, kept) for rule in wanted):
                raise duplicate()
            group[direction] = kept + wanted
    ec2_calls.template_tags(id, new, old)
    return _made(group)


def _delete(id: str, _properties: Properties) -> None:
    if id in find(_GROUPS):
        _check_free(id)
        find(_GROUPS).pop(id)
        answers.untag(id)


def install() -> None:
    """Complete MiniStack's groups, and put the type in its place."""
    for group in find(_GROUPS).all_values():
        if group["GroupName"] == "default" and not group["IpPermissions"]:
            let_members_in(group)
    _DEFAULTS.replace(_first_vpc)
    _PARSE.replace(_parsed)
    _MATCH.replace(lambda _: lambda a, b: _identity(a) == _identity(b))
    _FIELDS.replace(_listed)
    _RULE_FIELDS.replace(lambda _: _rule_fields)
    for name, direction in (("Ingress", "IpPermissions"), ("Egress", "IpPermissionsEgress")):
        answers.guard(f"AuthorizeSecurityGroup{name}", partial(_may_authorize, direction=direction))
        answers.guard(f"RevokeSecurityGroup{name}", partial(_may_revoke, direction=direction))
    answers.guard("CreateSecurityGroup", _may_create)
    answers.guard("DeleteSecurityGroup", lambda given: _check_free(answers.first(given, "GroupId")))
    ec2_calls.provide(
        _TYPE,
        create=_create,
        update=_update,
        delete=_delete,
        replacing=("GroupDescription", "GroupName", "VpcId"),
        tags=True,
    )
