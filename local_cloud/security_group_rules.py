"""CloudFormation's rules of security groups that are resources of their own.

A resource is one rule, and takes only that rule away when it goes. The first rule for the way out
takes away the one that lets all out, which a group has whose template says nothing of it; it does
not come back.

- AWS::EC2::SecurityGroupIngress, AWS::EC2::SecurityGroupEgress (a change to anything but the
  description replaces the rule; `Ref` and `Id` are the rule's id)
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroupingress.html
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroupegress.html
- "fix SecurityGroup's all egress traffic rule" ("CloudFormation's behavior to strip the 'default
  outbound' rule when another rule gets added"), on which the CDK's security groups rely
  https://github.com/aws/aws-cdk/pull/998
read 2026-11-21. Not in it: GroupName, which is for the default VPC.
"""

from __future__ import annotations

from local_cloud import ec2_calls, security_groups
from local_cloud.ec2_answers import Refusal
from local_cloud.ec2_calls import EC2, Made, Properties, Record
from local_cloud.ground import Hook, find

_GROUPS = Hook(EC2, "_security_groups")
HOOKS = (_GROUPS,)

_COMMON = ("CidrIp", "CidrIpv6", "FromPort", "GroupId", "IpProtocol", "ToPort")
_OF_INGRESS = (
    "GroupName",
    "SourcePrefixListId",
    "SourceSecurityGroupId",
    "SourceSecurityGroupName",
    "SourceSecurityGroupOwnerId",
)
_OF_EGRESS = ("DestinationPrefixListId", "DestinationSecurityGroupId")


def rule(properties: Properties) -> Record:
    """Return the rule of a template's resource; raises Refusal if it is not exactly one."""
    ec2_calls.refuse(properties, "GroupName", "SourceSecurityGroupName")
    made = security_groups.rules_of([properties])
    if len(made) != 1:
        raise Refusal("InvalidParameterCombination", "Specify exactly one source or destination")
    group = security_groups.group_of(properties["GroupId"])
    security_groups.check_sources(made[0], group["VpcId"])
    return made[0]


def _create(properties: Properties, *, egress: bool) -> Made:
    group = security_groups.group_of(properties["GroupId"])
    made = rule(properties)
    if egress:
        security_groups.drop_implied_egress(group)
    rules = group[_direction(egress=egress)]
    if security_groups.is_in(made, rules):
        raise security_groups.duplicate()
    rule_id = security_groups.rule_id(group["GroupId"], made, egress=egress)
    rules.append({**made, "SecurityGroupRuleId": rule_id})
    return rule_id, {"Id": rule_id}


def _direction(*, egress: bool) -> str:
    return "IpPermissionsEgress" if egress else "IpPermissions"


def _found(id: str, properties: Properties, *, egress: bool) -> tuple[list[Record], Record] | None:
    group = find(_GROUPS).get(properties["GroupId"])
    rules: list[Record] = group[_direction(egress=egress)] if group else []
    for each in rules:
        if each.get("SecurityGroupRuleId") == id:
            return rules, each
    return None


def _update(id: str, properties: Properties, *, egress: bool) -> Made:
    """Describe the rule anew, which is all that can change about it."""
    found = _found(id, properties, egress=egress)
    if found is None:
        raise Refusal(
            "InvalidSecurityGroupRuleId.NotFound",
            f"The security group rule ID '{id}' does not exist",
        )
    found[1].update(rule(properties))
    return id, {"Id": id}


def _delete(id: str, properties: Properties, *, egress: bool) -> None:
    if found := _found(id, properties, egress=egress):
        rules, gone = found
        rules.remove(gone)


def _register(type: str, *, egress: bool, replacing: tuple[str, ...]) -> None:
    ec2_calls.provide(
        type,
        create=lambda _logical_id, given, _stack: _create(given, egress=egress),
        update=lambda made, _old, given: _update(made, given, egress=egress),
        delete=lambda made, given: _delete(made, given, egress=egress),
        replacing=replacing,
    )


def install() -> None:
    """Register the two types."""
    _register("AWS::EC2::SecurityGroupIngress", egress=False, replacing=_COMMON + _OF_INGRESS)
    _register("AWS::EC2::SecurityGroupEgress", egress=True, replacing=_COMMON + _OF_EGRESS)
