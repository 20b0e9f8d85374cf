"""How the local cloud drives a custom resource whose function is written in Python.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.functions import function
from tests.local.templates import Stack

if TYPE_CHECKING:
    from odyssey_cli.target import Target

# Does as its properties say, and says in its log what it was asked.
RESOURCE = """
import json, urllib.request
def handler(event, context):
    wished = event["ResourceProperties"]
    asked = {key: value for key, value in event.items() if key != "ResponseURL"}
    print("ASKED " + json.dumps(asked))
    names = ("StackId", "RequestId", "LogicalResourceId")
    failed = event["RequestType"] == wished.get("FailOn")
    answer = {name: event[name] for name in names} | {
        "Status": "FAILED" if failed else "SUCCESS",
        "Reason": "as it was told",
        "PhysicalResourceId": wished["Id"],
        "Data": {"Answer": "to " + wished["Id"]},
    }
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(answer).encode(), method="PUT"
    )
    urllib.request.urlopen(request)
"""


class CustomStack(Stack):
    """A stack of one custom resource, and a parameter with what that answered."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.function = function(target, RESOURCE)

    def resources(self, **properties: Any) -> dict[str, Any]:
        token = {"ServiceToken": self.function, "ServiceTimeout": 60}
        answer = {"Type": "String", "Value": {"Fn::GetAtt": ["Thing", "Answer"]}}
        return {
            "Thing": {"Type": "Custom::Thing", "Properties": token | properties},
            "Answer": {"Type": "AWS::SSM::Parameter", "Properties": answer},
        }

    def answer(self) -> str:
        name = self.physical_id("Answer")
        return str(self.target.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])

    def asked(self) -> list[tuple[str, str | None]]:
        """Return the type and physical id of every request, in order."""
        return [(event["RequestType"], event.get("PhysicalResourceId")) for event in self.events()]

    def events(self) -> list[dict[str, Any]]:
        group = f"/aws/lambda/{self.function.rsplit(':', 1)[-1]}"
        events = self.target.client("logs").filter_log_events(logGroupName=group)["events"]
        said = [event["message"].partition("ASKED ") for event in events]
        return [json.loads(asked) for _, mark, asked in said if mark]


@pytest.fixture
def stack(target: Target) -> CustomStack:
    return CustomStack(target)


def test_a_custom_resource_is_created_updated_and_deleted(stack: CustomStack) -> None:
    # GIVEN a stack with a custom resource
    made = stack.create(**stack.resources(Id="one", Number=1, Truth=True))
    assert made == "CREATE_COMPLETE"
    assert stack.answer() == "to one"

    # WHEN its properties change, and the stack is deleted
    assert stack.update(**stack.resources(Id="one", Number=2, Truth=True)) == "UPDATE_COMPLETE"
    assert stack.delete() is None

    # THEN its function was asked for each, with properties as text
    assert stack.asked() == [("Create", None), ("Update", "one"), ("Delete", "one")]
    create, update, delete = stack.events()
    assert create["ResourceProperties"]["Truth"] == "true"
    assert (create["ResourceType"], create["LogicalResourceId"]) == ("Custom::Thing", "Thing")
    assert update["OldResourceProperties"]["Number"] == "1"
    assert update["ResourceProperties"]["Number"] == "2"
    assert delete["ResourceProperties"]["Number"] == "2"


def test_a_new_physical_id_has_the_old_one_deleted(stack: CustomStack) -> None:
    # GIVEN a custom resource
    stack.create(**stack.resources(Id="one"))

    # WHEN an update answers with another id
    assert stack.update(**stack.resources(Id="two")) == "UPDATE_COMPLETE"

    # THEN the old one is deleted after that, as what it was, and the new one with the stack
    assert stack.asked() == [("Create", None), ("Update", "one"), ("Delete", "one")]
    assert stack.events()[2]["ResourceProperties"]["Id"] == "one"
    assert stack.answer() == "to two"
    assert stack.delete() is None
    assert stack.asked()[3:] == [("Delete", "two")]


def test_a_custom_resource_that_fails_to_be_created_fails_the_stack(stack: CustomStack) -> None:
    assert stack.create(**stack.resources(Id="one", FailOn="Create")) == "CREATE_FAILED"

    assert "as it was told" in stack.reasons()
    assert stack.delete() is None


def test_a_custom_resource_that_fails_to_be_updated_is_sent_back(stack: CustomStack) -> None:
    # GIVEN a custom resource
    stack.create(**stack.resources(Id="one", Colour="red"))

    # WHEN it refuses an update
    refused = stack.resources(Id="one", Colour="blue", FailOn="Update")
    assert stack.update(**refused) == "UPDATE_ROLLBACK_COMPLETE"

    # THEN it was asked to be what it had been
    assert stack.asked()[-1] == ("Update", "one")
    assert stack.events()[-1]["ResourceProperties"]["Colour"] == "red"
    assert stack.delete() is None


def test_a_custom_resource_that_fails_to_be_deleted_keeps_the_stack(stack: CustomStack) -> None:
    # GIVEN a custom resource that does not let itself be deleted
    stack.create(**stack.resources(Id="one", FailOn="Delete"))

    # THEN the stack stays, and says why
    assert stack.delete() == "DELETE_FAILED"
    assert "as it was told" in stack.reasons()

    # WHEN it is kept
    stack.formation.delete_stack(StackName=stack.name, RetainResources=["Thing"])

    # THEN the stack goes
    assert stack.settled() is None


def test_a_stack_with_a_custom_resource_does_not_wait_for_a_poll(stack: CustomStack) -> None:
    # GIVEN a function that is warm
    stack.create(**stack.resources(Id="one"))

    # THEN an update with its clean-up and the deletion are done in less than one poll of the CDK's
    began = time.monotonic()
    stack.update(**stack.resources(Id="two"))
    stack.delete()
    assert time.monotonic() - began < 5
