"""The app, synthesized once per stage."""

from __future__ import annotations

import pytest
from pytest_socket import disable_socket

from tests.template.networks import Networks
from tests.template.synth import Synth, Template, synthesize

STACKS = [
    *("Operations", "Network", "EventAggregator", "Discovery", "PubSub", "Ingest", "Consumer"),
]

# What both stages take.
_OPTIONS: dict[str, object] = {
    "alarm_email": "me@example.com",
    "api_rate_limit": "7",
    "api_burst_limit": "8",
    "aggregator_group_by": "type,city",
    "aggregator_event_ttl_days": "9",
    "consumer_bus": "theirs",
    "discovery_user": "true",
    "ingest_dynamic_partitioning": "true",
    "ingest_event_ttl_days": "30",
    "vpc_cidr": "10.20.0.0/16",
    "nat_gateway": "true",
    "ssh_cidr": "203.0.113.7/32",
    "budget_email": "me@example.com",
    "budget_usd": "50",
}
EVERY_OPTION: dict[str, object] = {
    **_OPTIONS,
    "stage": "prod",
    "ingest_lake_glacier_days": "60",
    "ingest_lake_expiry_days": "730",
    "ingest_replica_bucket": "arn:aws:s3:::copies-of-the-lake",
    "ingest_replica_key": "arn:aws:kms:eu-north-1:123456789012:key/1a2b-3c4d",
    "public_cidrs": "10.20.0.0/24,10.20.1.0/24",
    "private_cidrs": "10.20.128.0/24,10.20.129.0/24",
    "ami": "ami-0abcdef1234567890",
    "private_host": "endpoint",
}
# Where an option has several values, another one than prod's.
EVERY_OPTION_OF_DEV: dict[str, object] = {
    **_OPTIONS,
    "stage": "dev",
    "architecture": "x86_64",
    "api_log_role": "false",
    "ingest_lake_glacier_days": "never",
    "ingest_lake_expiry_days": "30",
    "vpc_zones": "1",
    "public_cidrs": "10.20.0.0/24",
    "private_cidrs": "10.20.128.0/24",
    "ami": "latest",
    "private_host": "jump",
}
# What each synth to which the rules are held asks for, by its fixture.
SYNTHS: dict[str, dict[str, object]] = {
    "dev": {},
    "dev_with_every_option": EVERY_OPTION_OF_DEV,
    "prod": {"stage": "prod"},
    "with_every_option": EVERY_OPTION,
}


@pytest.fixture(autouse=True)
def no_network() -> None:
    """Block sockets: synth needs none, because it talks to Node through pipes."""
    disable_socket(allow_unix_socket=True)


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    return synthesize(tmp_path_factory.mktemp("dev") / "cdk.out", **SYNTHS["dev"])


@pytest.fixture(scope="session")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    return synthesize(tmp_path_factory.mktemp("prod") / "cdk.out", **SYNTHS["prod"])


@pytest.fixture(scope="session", params=["dev", "prod"])
def stage_name(request: pytest.FixtureRequest) -> str:
    """The name of each stage in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def stage(stage_name: str, request: pytest.FixtureRequest) -> Synth:
    """Each stage in turn."""
    synth: Synth = request.getfixturevalue(stage_name)
    return synth


@pytest.fixture(scope="session", params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    """The name of each stack in turn."""
    name: str = request.param
    return name


@pytest.fixture
def template(stage: Synth, stack: str) -> Template:
    """Each stack of each stage in turn."""
    return stage.templates[stack]


@pytest.fixture
def aggregator(stage: Synth) -> Template:
    """The event aggregator of each stage in turn."""
    return stage.templates["EventAggregator"]


@pytest.fixture
def discovery(stage: Synth) -> Template:
    """Discovery of each stage in turn."""
    return stage.templates["Discovery"]


@pytest.fixture
def pubsub(stage: Synth) -> Template:
    """The word counter of each stage in turn."""
    return stage.templates["PubSub"]


@pytest.fixture
def ingest(stage: Synth) -> Template:
    """The intake of each stage in turn."""
    return stage.templates["Ingest"]


@pytest.fixture
def consumer(stage: Synth) -> Template:
    """The consumer of each stage in turn."""
    return stage.templates["Consumer"]


@pytest.fixture
def network(stage: Synth) -> Template:
    """The network of each stage in turn."""
    return stage.templates["Network"]


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """The network alone, with whatever settings."""
    return Networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="session")
def with_every_option(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """Prod with every option."""
    return synthesize(tmp_path_factory.mktemp("every_option") / "cdk.out", **EVERY_OPTION)


@pytest.fixture(scope="session")
def dev_with_every_option(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """Dev with every option that dev has."""
    folder = tmp_path_factory.mktemp("every_option_of_dev") / "cdk.out"
    return synthesize(folder, **EVERY_OPTION_OF_DEV)
