"""Flow logs that a stack makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local.networks import VPC, Network, attribute, probe, ref, resource, subnet, tag

if TYPE_CHECKING:
    from odyssey_cli.target import Target

LOGS = {"Type": "AWS::Logs::LogGroup"}
ROLE = "arn:aws:iam::000000000000:role/flow-logs"
TO_LOGS = {"LogGroupName": ref("Logs"), "DeliverLogsPermissionArn": ROLE}
BASE = {"Vpc": VPC, "Logs": LOGS}


@pytest.fixture
def network(target: Target) -> Network:
    return Network(target)


def flow_log(**properties: Any) -> dict[str, Any]:
    given = {"ResourceType": "VPC", "ResourceId": ref("Vpc"), "TrafficType": "ALL", **properties}
    return resource("FlowLog", **given)


def described(network: Network, of: str = "Vpc") -> list[dict[str, Any]]:
    wanted = [{"Name": "resource-id", "Values": [network.physical_id(of)]}]
    found: list[dict[str, Any]] = network.ec2.describe_flow_logs(Filters=wanted)["FlowLogs"]
    return found


def test_a_flow_log_is_what_the_template_says(network: Network) -> None:
    # GIVEN a VPC's flow log into a log group, and a subnet's into a bucket
    written = "${srcaddr} ${dstaddr} ${action}"
    of_vpc = flow_log(**TO_LOGS, MaxAggregationInterval=60, LogFormat=written, Tags=tag("tests"))
    of_subnet = flow_log(
        ResourceType="Subnet",
        ResourceId=ref("Subnet"),
        TrafficType="REJECT",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::flow-logs",
        DestinationOptions={
            "FileFormat": "parquet",
            "HiveCompatiblePartitions": True,
            "PerHourPartition": False,
        },
    )
    made = {**BASE, "Subnet": subnet(), "OfSubnet": of_subnet}
    shows = {"Id": probe(attribute("OfVpc", "Id"))}
    assert network.create(**made, OfVpc=of_vpc, **shows) == "CREATE_COMPLETE"

    # THEN EC2 describes them so
    [found] = described(network)
    first = found["FlowLogId"]
    assert first == network.physical_id("OfVpc") == network.shown("Id")
    assert (found["FlowLogStatus"], found["TrafficType"]) == ("ACTIVE", "ALL")
    assert found["LogDestinationType"] == "cloud-watch-logs"
    assert found["LogGroupName"] == network.physical_id("Logs")
    assert found["DeliverLogsPermissionArn"] == ROLE
    assert (found["MaxAggregationInterval"], found["LogFormat"]) == (60, written)
    assert network.own_tags(first) == {"purpose": "tests"}
    [other] = described(network, "Subnet")
    assert (other["LogDestinationType"], other["TrafficType"]) == ("s3", "REJECT")
    assert other["LogDestination"] == "arn:aws:s3:::flow-logs"
    assert other["DestinationOptions"]["FileFormat"] == "parquet"
    assert other["DestinationOptions"]["HiveCompatiblePartitions"] is True
    assert other["MaxAggregationInterval"] == 600
    assert other["LogFormat"].startswith("${version} ${account-id} ${interface-id}")

    # WHEN it is to log less, and without tags
    less = flow_log(**TO_LOGS, TrafficType="REJECT")
    assert network.update(**made, OfVpc=less) == "UPDATE_COMPLETE"

    # THEN it is another one
    [found] = described(network)
    assert (found["TrafficType"], found["FlowLogId"] == first) == ("REJECT", False)
    assert network.own_tags(found["FlowLogId"]) == {}

    # WHEN the stack goes
    own = found["FlowLogId"]
    assert network.delete() is None

    # THEN they are gone
    left = {each["FlowLogId"] for each in network.ec2.describe_flow_logs()["FlowLogs"]}
    assert not left & {own, other["FlowLogId"]}


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"LogGroupName": "logs"}, "DeliverLogsPermissionArn"),
        ({**TO_LOGS, "MaxAggregationInterval": 300}, "MaxAggregationInterval"),
        ({**TO_LOGS, "ResourceId": "vpc-00000000000000000"}, "InvalidVpcId.NotFound"),
        ({"LogDestinationType": "s3"}, "LogDestination"),
    ],
)
def test_a_flow_log_that_cannot_be_is_refused(
    network: Network, properties: dict[str, Any], reason: str
) -> None:
    made = network.create(**BASE, Log=flow_log(**properties))

    assert (made, reason in network.reasons()) == ("CREATE_FAILED", True)
    assert network.delete() is None
