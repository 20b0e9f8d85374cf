"""What is known of each type of resource that may outlive its stack: why, and its price.

The prices are for us-east-1, looked up on 2026-11-21, and where bench/prices.py has them, from
there: it says how each was confirmed.
"""

from __future__ import annotations

from bench.prices import PRICES
from odyssey_cli import removals

# Why prod keeps resources of a type when their stack is destroyed. A test holds this against the
# templates: every type that a prod stack retains is here, and no other.
KEPT = {
    "AWS::DynamoDB::Table": "it holds what was counted and stored; no other copy of it is kept",
    "AWS::KMS::Key": "without it nothing that is kept can be decrypted any more",
    "AWS::Logs::LogGroup": "a year of logs, to answer what happened before the end",
    "AWS::Logs::LogStream": "it is a part of a log group that is kept",
    "AWS::S3::Bucket": "it holds every object that was stored, and what was overwritten of late",
    "AWS::SQS::Queue": "it may hold messages that nobody has dealt with; they stay two weeks",
    "AWS::SecretsManager::Secret": "what it holds was typed in by a person, and is nowhere else",
}


def _price(name: str, what: str) -> str:
    return f"{PRICES[name].usd:g} USD {what}"


# What resources cost that nobody uses. Types that are not here cost nothing then.
_COSTS = {
    "AWS::CloudWatch::Alarm": _price("alarm", "a month"),
    "AWS::CloudWatch::Dashboard": _price("dashboard", "a month"),
    "AWS::DynamoDB::Table": _price("stored", "a GB and month"),
    "AWS::EC2::EIP": _price("address", "an hour"),
    "AWS::EC2::Instance": "its price an hour, and its volume's",
    "AWS::EC2::NatGateway": _price("nat", "an hour"),
    # "Amazon EBS pricing", 2026-11-21, not confirmed.
    "AWS::EC2::Snapshot": "0.05 USD a GB and month",
    "AWS::EC2::Volume": _price("gp3", "a GB and month"),
    "AWS::Events::Archive": _price("archived", "a GB and month"),
    "AWS::KMS::Key": _price("key", "a month"),
    # "Amazon CloudWatch pricing", 2026-11-21, not confirmed; stored bytes are compressed.
    "AWS::Logs::LogGroup": "0.03 USD a GB and month",
    "AWS::S3::Bucket": _price("s3_stored", "a GB and month"),
    "AWS::SecretsManager::Secret": _price("secret", "a month"),
}
_NOTHING = "nothing"
_UNKNOWN = "not known here"


def costs(type: str) -> str:
    """Return what a resource of a type costs that nobody uses."""
    return _COSTS.get(type, _NOTHING if type in removals.known() else _UNKNOWN)
