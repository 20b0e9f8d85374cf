"""Nothing of the user's, and nothing of the network, reaches a unit test."""

import os
import socket

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from pytest_socket import SocketBlockedError


def test_no_credentials_or_settings_of_the_user_reach_a_test() -> None:
    names = {name for name in os.environ if name.startswith(("AWS_", "CDK_", "ODYSSEY_T"))}
    assert names <= {
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_DEFAULT_REGION",
    }
    assert os.environ["AWS_DEFAULT_REGION"] == "us-east-1"
    assert os.environ["AWS_CONFIG_FILE"] == os.devnull


def test_a_call_to_aws_finds_no_credentials() -> None:
    with pytest.raises(NoCredentialsError):
        boto3.client("sts").get_caller_identity()


@pytest.mark.filterwarnings("ignore:A test tried")
def test_the_network_is_blocked() -> None:
    with pytest.raises(SocketBlockedError):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)
