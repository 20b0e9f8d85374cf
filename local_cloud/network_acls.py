"""Network ACLs: their entries, which subnets they are of, and their types in templates.

A subnet is always associated with one network ACL, that of its VPC by default; an ACL has a last
entry in each direction that denies what no other allows. MiniStack associates no subnet, forgets
ports and ICMP types, and has no types.

- AWS::EC2::NetworkAcl, AWS::EC2::NetworkAclEntry, AWS::EC2::SubnetNetworkAclAssociation
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-networkacl.html
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-networkaclentry.html
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnetnetworkaclassociation.html
- "Network ACL rules", "Default network ACL"
  https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
  https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
- CreateNetworkAclEntry, ReplaceNetworkAclAssociation, DescribeNetworkAcls
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, Made, Properties, Record
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Mapping

_ACLS = Hook(EC2, "_network_acls")
_SUBNETS = Hook(EC2, "_subnets")
_VPCS = Hook(EC2, "_vpcs")
HOOKS = (_ACLS, _SUBNETS, _VPCS)

_ACL = "AWS::EC2::NetworkAcl"
_ENTRY = "AWS::EC2::NetworkAclEntry"
_ASSOCIATION = "AWS::EC2::SubnetNetworkAclAssociation"
_MISSING = ("InvalidNetworkAclID.NotFound", "networkAcl")
_LAST = 32767
_ICMP = ("1", "58")
_WITH_PORTS = ("6", "17")


def settle() -> None:
    """Associate every subnet with one ACL, and no ACL with a subnet that is gone."""
    subnets = find(_SUBNETS)
    associated: set[str] = set()
    for acl in find(_ACLS).values():
        acl["Associations"] = [each for each in acl["Associations"] if each["SubnetId"] in subnets]
        associated.update(each["SubnetId"] for each in acl["Associations"])
    for subnet_id, subnet in subnets.items():
        vpc = find(_VPCS).get(subnet["VpcId"])
        if subnet_id not in associated and vpc:
            _associate(find(_ACLS)[vpc["DefaultNetworkAclId"]], subnet_id)


def _associate(acl: Record, subnet_id: str) -> str:
    association = ec2_calls.new_id("aclassoc")
    acl["Associations"].append({"NetworkAclAssociationId": association, "SubnetId": subnet_id})
    return association


def association_of(subnet_id: str) -> Record:
    """Return a subnet's association; raises Refusal when there is no such subnet."""
    settle()
    for acl in find(_ACLS).values():
        for each in acl["Associations"]:
            if each["SubnetId"] == subnet_id:
                found: Record = each
                return found
    raise Refusal("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")


def replace_association(id: str, acl_id: str) -> str:
    """Let another ACL have the subnet of an association; returns the new one's id."""
    settle()
    acl = ec2_calls.known(find(_ACLS), acl_id, *_MISSING)
    for other in find(_ACLS).values():
        for each in other["Associations"]:
            if each["NetworkAclAssociationId"] == id:
                if other["VpcId"] != acl["VpcId"]:
                    raise Refusal(
                        "InvalidParameterValue",
                        f"Network ACL {acl_id} and subnet {each['SubnetId']} belong to different "
                        "networks",
                    )
                other["Associations"].remove(each)
                return _associate(acl, each["SubnetId"])
    raise Refusal("InvalidAssociationID.NotFound", f"The association ID '{id}' does not exist")


def create(vpc_id: str) -> str:
    """Make an ACL that allows nothing."""
    ec2_calls.known(find(_VPCS), vpc_id, "InvalidVpcID.NotFound", "vpc")
    acl_id = ec2_calls.new_id("acl")
    find(_ACLS)[acl_id] = {
        "NetworkAclId": acl_id,
        "VpcId": vpc_id,
        "IsDefault": False,
        "Entries": [
            {
                "RuleNumber": _LAST,
                "Protocol": "-1",
                "RuleAction": "deny",
                "Egress": egress,
                "CidrBlock": "0.0.0.0/0",
            }
            for egress in (True, False)
        ],
        "Associations": [],
        "OwnerId": ec2_calls.account(),
    }
    return acl_id


def delete(id: str) -> None:
    """Delete an ACL that no subnet has."""
    settle()
    acl = ec2_calls.known(find(_ACLS), id, *_MISSING)
    if acl["IsDefault"]:
        raise Refusal("InvalidParameterValue", f"Cannot delete default network ACL {id}")
    if acl["Associations"]:
        raise ec2_calls.in_use("networkAcl", id)
    find(_ACLS).pop(id)
    answers.untag(id)


def entry(given: Mapping[str, Any]) -> Record:
    """Check an entry, given with a template's names, and return it as the ACL keeps it."""
    protocol = str(given["Protocol"])
    number = int(given["RuleNumber"])
    if not 1 <= number < _LAST:
        raise Refusal(
            "InvalidParameterValue", f"Value ({number}) for parameter ruleNumber is invalid."
        )
    if bool(given.get("CidrBlock")) == bool(given.get("Ipv6CidrBlock")):
        raise Refusal("MissingParameter", "Either a CIDR block or an IPv6 CIDR block is required")
    if protocol in _WITH_PORTS and not given.get("PortRange"):
        raise Refusal("MissingParameter", "The request must contain the parameter portRange")
    if protocol in _ICMP and not given.get("Icmp"):
        raise Refusal("MissingParameter", "The request must contain the parameter icmpTypeCode")
    kept: Record = {
        "RuleNumber": number,
        "Protocol": protocol,
        "RuleAction": given["RuleAction"],
        "Egress": ec2_calls.yes(given.get("Egress", False)),
    }
    for name in ("CidrBlock", "Ipv6CidrBlock"):
        if given.get(name):
            kept[name] = given[name]
    if protocol in _WITH_PORTS:
        kept["PortRange"] = {key: int(given["PortRange"][key]) for key in ("From", "To")}
    if protocol in _ICMP:
        kept["Icmp"] = {key: int(given["Icmp"][key]) for key in ("Type", "Code")}
    return kept


def _place(acl: Record, number: int, egress: bool) -> Record | None:
    for each in acl["Entries"]:
        if (each["RuleNumber"], each["Egress"]) == (number, egress):
            found: Record = each
            return found
    return None


def put_entry(acl_id: str, given: Mapping[str, Any], *, replace: bool) -> None:
    """Add an entry to an ACL, or change the one with its number and direction."""
    acl = ec2_calls.known(find(_ACLS), acl_id, *_MISSING)
    kept = entry(given)
    there = _place(acl, kept["RuleNumber"], kept["Egress"])
    if there and not replace:
        raise Refusal(
            "NetworkAclEntryAlreadyExists",
            f"The network acl entry identified by {kept['RuleNumber']} already exists.",
        )
    if replace and not there:
        raise _no_entry(kept["RuleNumber"])
    if there:
        acl["Entries"].remove(there)
    acl["Entries"].append(kept)


def delete_entry(acl_id: str, number: int, egress: bool) -> None:
    """Take an entry out of an ACL."""
    acl = ec2_calls.known(find(_ACLS), acl_id, *_MISSING)
    there = _place(acl, number, egress)
    if there is None or number == _LAST:
        raise _no_entry(number)
    acl["Entries"].remove(there)


def _no_entry(number: int) -> Refusal:
    return Refusal(
        "InvalidNetworkAclEntry.NotFound",
        f"The network acl entry identified by {number} does not exist",
    )


def _requested_entry(parameters: Parameters) -> Record:
    given: Record = {
        name: answers.first(parameters, name)
        for name in (
            "RuleNumber",
            "Protocol",
            "RuleAction",
            "Egress",
            "CidrBlock",
            "Ipv6CidrBlock",
        )
    }
    for name, request, keys in (
        ("PortRange", "PortRange", ("From", "To")),
        ("Icmp", "Icmp", ("Type", "Code")),
    ):
        values = {key: answers.first(parameters, f"{request}.{key}") for key in keys}
        if all(values.values()):
            given[name] = values
    return given


def _fields(acl: Record) -> Record:
    entries = sorted(acl["Entries"], key=lambda each: (not each["Egress"], each["RuleNumber"]))
    return {
        "networkAclId": acl["NetworkAclId"],
        "vpcId": acl["VpcId"],
        "default": acl["IsDefault"],
        "entrySet": [_entry_fields(each) for each in entries],
        "associationSet": [
            {
                "networkAclAssociationId": each["NetworkAclAssociationId"],
                "networkAclId": acl["NetworkAclId"],
                "subnetId": each["SubnetId"],
            }
            for each in acl["Associations"]
        ],
        "tagSet": answers.tag_set(acl["NetworkAclId"]),
        "ownerId": acl["OwnerId"],
    }


def _entry_fields(kept: Record) -> Record:
    ports, icmp = kept.get("PortRange"), kept.get("Icmp")
    return {
        "ruleNumber": kept["RuleNumber"],
        "protocol": kept["Protocol"],
        "ruleAction": kept["RuleAction"],
        "egress": kept["Egress"],
        "cidrBlock": kept.get("CidrBlock"),
        "ipv6CidrBlock": kept.get("Ipv6CidrBlock"),
        "portRange": ports and {"from": ports["From"], "to": ports["To"]},
        "icmpTypeCode": icmp and {"type": icmp["Type"], "code": icmp["Code"]},
    }


def _values(acl: Record) -> dict[str, list[str]]:
    associations = acl["Associations"]
    return {
        "association.association-id": [each["NetworkAclAssociationId"] for each in associations],
        "association.network-acl-id": [acl["NetworkAclId"] for _ in associations],
        "association.subnet-id": [each["SubnetId"] for each in associations],
        "default": [str(acl["IsDefault"]).lower()],
        "network-acl-id": [acl["NetworkAclId"]],
        "owner-id": [acl["OwnerId"]],
        "vpc-id": [acl["VpcId"]],
    }


def _describe(parameters: Parameters) -> str:
    settle()
    chosen = ec2_calls.asked_for(find(_ACLS), parameters, "NetworkAclId", _MISSING, _values)
    return answers.xml("networkAclSet", [_fields(each) for each in chosen])


def _answer_create(parameters: Parameters) -> str:
    acl_id = create(answers.first(parameters, "VpcId"))
    ec2_calls.set_tags(acl_id, parameters, "network-acl")
    return answers.xml("networkAcl", _fields(find(_ACLS)[acl_id]))


def _answer_delete(parameters: Parameters) -> str:
    delete(answers.first(parameters, "NetworkAclId"))
    return ec2_calls.DONE


def _answer_entry(parameters: Parameters, *, replace: bool) -> str:
    acl = answers.first(parameters, "NetworkAclId")
    put_entry(acl, _requested_entry(parameters), replace=replace)
    return ec2_calls.DONE


def _answer_delete_entry(parameters: Parameters) -> str:
    delete_entry(
        answers.first(parameters, "NetworkAclId"),
        int(answers.first(parameters, "RuleNumber")),
        ec2_calls.yes(answers.first(parameters, "Egress")),
    )
    return ec2_calls.DONE


def _answer_association(parameters: Parameters) -> str:
    made = replace_association(
        answers.first(parameters, "AssociationId"), answers.first(parameters, "NetworkAclId")
    )
    return answers.xml("newAssociationId", made)


def _create_acl(_logical_id: str, properties: Properties, _stack: str) -> Made:
    acl_id = create(properties["VpcId"])
    ec2_calls.template_tags(acl_id, properties)
    return acl_id, {"Id": acl_id}


def _update_acl(id: str, old: Properties, new: Properties) -> Made:
    ec2_calls.template_tags(id, new, old)
    return id, {"Id": id}


def _delete_acl(id: str, _properties: Properties) -> None:
    if id in find(_ACLS):
        delete(id)


def _create_entry(logical_id: str, properties: Properties, stack: str) -> Made:
    put_entry(properties["NetworkAclId"], properties, replace=False)
    name = ec2_calls.generated_name(stack, logical_id)
    return name, {"Id": name}


def _update_entry(id: str, _old: Properties, new: Properties) -> Made:
    put_entry(new["NetworkAclId"], new, replace=True)
    return id, {"Id": id}


def _delete_entry(_id: str, properties: Properties) -> None:
    acl = find(_ACLS).get(properties["NetworkAclId"])
    number, egress = int(properties["RuleNumber"]), ec2_calls.yes(properties.get("Egress", False))
    if acl and _place(acl, number, egress):
        delete_entry(acl["NetworkAclId"], number, egress)


def _create_association(_logical_id: str, properties: Properties, _stack: str) -> Made:
    current = association_of(properties["SubnetId"])["NetworkAclAssociationId"]
    association_id = replace_association(current, properties["NetworkAclId"])
    return association_id, {"AssociationId": association_id}


def _delete_association(id: str, properties: Properties) -> None:
    """Give the subnet back to its VPC's default ACL, unless it has another association by now."""
    subnet = find(_SUBNETS).get(properties["SubnetId"])
    if subnet and association_of(subnet["SubnetId"])["NetworkAclAssociationId"] == id:
        replace_association(id, find(_VPCS)[subnet["VpcId"]]["DefaultNetworkAclId"])


def install() -> None:
    """Answer the calls, and register the types."""
    answers.answer("DescribeNetworkAcls", _describe)
    answers.answer("CreateNetworkAcl", _answer_create)
    answers.answer("DeleteNetworkAcl", _answer_delete)
    answers.answer("CreateNetworkAclEntry", lambda given: _answer_entry(given, replace=False))
    answers.answer("ReplaceNetworkAclEntry", lambda given: _answer_entry(given, replace=True))
    answers.answer("DeleteNetworkAclEntry", _answer_delete_entry)
    answers.answer("ReplaceNetworkAclAssociation", _answer_association)
    ec2_calls.provide(
        _ACL,
        create=_create_acl,
        update=_update_acl,
        delete=_delete_acl,
        replacing=("VpcId",),
        tags=True,
    )
    ec2_calls.provide(
        _ENTRY,
        create=_create_entry,
        update=_update_entry,
        delete=_delete_entry,
        replacing=("Egress", "NetworkAclId", "RuleNumber"),
    )
    ec2_calls.provide(
        _ASSOCIATION,
        create=_create_association,
        delete=_delete_association,
        replacing=("NetworkAclId", "SubnetId"),
    )
