"""EC2 Instance Connect Endpoints: their API, which MiniStack lacks, and their type in templates.

An endpoint has an interface in its subnet. It is there at once, and gone at once when deleted; a
connection through one cannot be had, there being no instance behind it.

- AWS::EC2::InstanceConnectEndpoint
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-instanceconnectendpoint.html
- CreateInstanceConnectEndpoint, Ec2InstanceConnectEndpoint, ModifyInstanceConnectEndpoint
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateInstanceConnectEndpoint.html
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Ec2InstanceConnectEndpoint.html
- "Quotas for EC2 Instance Connect Endpoint" (one for each VPC)
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/eice-quotas.html
read 2026-11-21. The error codes of the quota and of an unknown id are on no page. Not in it: IPv6.
"""

from __future__ import annotations

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls, network_interfaces
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, Made, Properties, Record
from local_cloud.ground import Hook, find

# MiniStack has no store for them; one of its kind keeps accounts and regions apart.
_SCOPED = Hook("ministack.core.responses", "AccountRegionScopedDict")
_INTERFACES = Hook(EC2, "_network_interfaces")
HOOKS = (_SCOPED, _INTERFACES)

_TYPE = "AWS::EC2::InstanceConnectEndpoint"
_KIND = "instance-connect-endpoint"
_MISSING = ("InvalidInstanceConnectEndpointId.NotFound", "instance connect endpoint")
_IPV4 = "ipv4"

_stores: list[dict[str, Record]] = []


def _endpoints() -> dict[str, Record]:
    if not _stores:
        _stores.append(find(_SCOPED)())
    return _stores[0]


def create(given: Properties) -> Record:
    """Make an endpoint of a template's properties, or of a request's, which have their names."""
    if given.get("IpAddressType") not in (None, "", _IPV4):
        raise Refusal("UnsupportedOperation", "Endpoints of the local cloud have IPv4 addresses.")
    subnet = network_interfaces.subnet_of(given.get("SubnetId") or "")
    vpc = subnet["VpcId"]
    if any(each["VpcId"] == vpc for each in _endpoints().values()):
        raise Refusal(
            "InstanceConnectEndpointLimitExceeded",
            f"The maximum number of EC2 Instance Connect Endpoints for VPC {vpc} is reached: 1",
        )
    endpoint_id = ec2_calls.new_id("eice")
    groups = given.get("SecurityGroupIds") or [network_interfaces.default_group(vpc)]
    interface = network_interfaces.add(
        subnet["SubnetId"],
        kind="ec2_instance_connect_endpoint",
        description=f"EC2 Instance Connect managed network interface for resource {endpoint_id}",
        groups=groups,
    )
    record = {
        "InstanceConnectEndpointId": endpoint_id,
        "SubnetId": subnet["SubnetId"],
        "VpcId": vpc,
        "AvailabilityZone": subnet["AvailabilityZone"],
        "AvailabilityZoneId": subnet["AvailabilityZoneId"],
        "SecurityGroupIds": list(groups),
        "PreserveClientIp": ec2_calls.yes(given.get("PreserveClientIp")),
        "NetworkInterfaceId": interface["NetworkInterfaceId"],
        "CreatedAt": ec2_calls.now(),
    }
    _endpoints()[endpoint_id] = record
    return record


def delete(id: str) -> Record:
    """Delete an endpoint and its interface."""
    record = ec2_calls.known(_endpoints(), id, *_MISSING)
    network_interfaces.remove(record["NetworkInterfaceId"])
    del _endpoints()[id]
    answers.untag(id)
    return record


def _arn(record: Record) -> str:
    of = f"{ec2_calls.region()}:{ec2_calls.account()}"
    return f"arn:aws:ec2:{of}:{_KIND}/{record['InstanceConnectEndpointId']}"


def _names(record: Record) -> Record:
    """Return the endpoint's names in DNS."""
    at = f"ec2-instance-connect-endpoint.{ec2_calls.region()}.amazonaws.com"
    own = f"{record['InstanceConnectEndpointId']}.{record['NetworkInterfaceId'][-8:]}"
    return {"dnsName": f"{own}.{at}", "fipsDnsName": f"{own}.fips.{at}"}


def _fields(record: Record, state: str = "create-complete") -> Record:
    names = _names(record)
    return {
        "ownerId": ec2_calls.account(),
        "instanceConnectEndpointId": record["InstanceConnectEndpointId"],
        "instanceConnectEndpointArn": _arn(record),
        "state": state,
        "stateMessage": "",
        **names,
        "networkInterfaceIdSet": [record["NetworkInterfaceId"]],
        "vpcId": record["VpcId"],
        "availabilityZone": record["AvailabilityZone"],
        "availabilityZoneId": record["AvailabilityZoneId"],
        "createdAt": record["CreatedAt"],
        "subnetId": record["SubnetId"],
        "preserveClientIp": record["PreserveClientIp"],
        "securityGroupIdSet": record["SecurityGroupIds"],
        "ipAddressType": _IPV4,
        "publicDnsNames": {_IPV4: names},
        "tagSet": answers.tag_set(record["InstanceConnectEndpointId"]),
    }


def _values(record: Record) -> dict[str, list[str]]:
    return {
        "availability-zone": [record["AvailabilityZone"]],
        "instance-connect-endpoint-id": [record["InstanceConnectEndpointId"]],
        "state": ["create-complete"],
        "subnet-id": [record["SubnetId"]],
        "vpc-id": [record["VpcId"]],
    }


def _create(parameters: Parameters) -> str:
    given: Properties = {
        name: answers.first(parameters, name)
        for name in ("SubnetId", "PreserveClientIp", "IpAddressType")
    }
    given["SecurityGroupIds"] = answers.members(parameters, "SecurityGroupId")
    made = create(given)
    ec2_calls.set_tags(made["InstanceConnectEndpointId"], parameters, _KIND)
    return answers.xml("instanceConnectEndpoint", _fields(made))


def _delete(parameters: Parameters) -> str:
    deleted = delete(answers.first(parameters, "InstanceConnectEndpointId"))
    return answers.xml("instanceConnectEndpoint", _fields(deleted, "delete-in-progress"))


def _modify(parameters: Parameters) -> str:
    named = answers.first(parameters, "InstanceConnectEndpointId")
    record = ec2_calls.known(_endpoints(), named, *_MISSING)
    if groups := answers.members(parameters, "SecurityGroupId"):
        interface = find(_INTERFACES)[record["NetworkInterfaceId"]]
        interface["Groups"] = [network_interfaces.group_fields(group) for group in groups]
        record["SecurityGroupIds"] = groups
    if preserve := answers.first(parameters, "PreserveClientIp"):
        record["PreserveClientIp"] = ec2_calls.yes(preserve)
    return ec2_calls.DONE


def _describe(parameters: Parameters) -> str:
    name = "InstanceConnectEndpointId"
    chosen = ec2_calls.asked_for(_endpoints(), parameters, name, _MISSING, _values)
    return answers.xml("instanceConnectEndpointSet", [_fields(each) for each in chosen])


def _made(record: Record) -> Made:
    endpoint_id = record["InstanceConnectEndpointId"]
    names = _names(record)
    return endpoint_id, {
        "Id": endpoint_id,
        "AvailabilityZone": record["AvailabilityZone"],
        "AvailabilityZoneId": record["AvailabilityZoneId"],
        "CreatedAt": record["CreatedAt"],
        "InstanceConnectEndpointArn": _arn(record),
        "NetworkInterfaceIds": [record["NetworkInterfaceId"]],
        "OwnerId": ec2_calls.account(),
        "PublicDnsNames.Ipv4.DnsName": names["dnsName"],
        "PublicDnsNames.Ipv4.FipsDnsName": names["fipsDnsName"],
        "State": "create-complete",
        "StateMessage": "",
        "VpcId": record["VpcId"],
    }


def _create_resource(_logical_id: str, properties: Properties, _stack: str) -> Made:
    made = create(properties)
    ec2_calls.template_tags(made["InstanceConnectEndpointId"], properties)
    return _made(made)


def _update_resource(id: str, old: Properties, new: Properties) -> Made:
    ec2_calls.template_tags(id, new, old)
    return _made(ec2_calls.known(_endpoints(), id, *_MISSING))


def _delete_resource(id: str, _properties: Properties) -> None:
    if id in _endpoints():
        delete(id)


def install() -> None:
    """Answer the calls, and register the type."""
    answers.answer("CreateInstanceConnectEndpoint", _create)
    answers.answer("DeleteInstanceConnectEndpoint", _delete)
    answers.answer("ModifyInstanceConnectEndpoint", _modify)
    answers.answer("DescribeInstanceConnectEndpoints", _describe)
    answers.kind_of("eice-", _KIND)
    ec2_calls.provide(
        _TYPE,
        create=_create_resource,
        update=_update_resource,
        delete=_delete_resource,
        replacing=(
            "ClientToken",
            "IpAddressType",
            "PreserveClientIp",
            "SecurityGroupIds",
            "SubnetId",
        ),
        tags=True,
    )
