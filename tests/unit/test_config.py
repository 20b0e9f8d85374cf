"""The app's settings: every option, and every way to get it wrong."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from odyssey_constructs.config import Config, ConfigError

DEFAULTS = Config()
DAYS: list[tuple[Any, int | None]] = [
    *[(0, None), ("0", None), ("never", None), ("", None), (None, None)],
    *[("1", 1), (1, 1), ("3650", 3_650), (3_650, 3_650)],
]
NOTHING: list[Any] = ["", [], None]
GOOD: list[tuple[str, Any, Any]] = [
    ("stage", "dev", "dev"),
    ("stage", "prod", "prod"),
    ("architecture", "arm64", "arm64"),
    ("architecture", "x86_64", "x86_64"),
    ("alarm_email", "åsa@example.com", "åsa@example.com"),
    ("alarm_email", "", None),
    ("alarm_email", None, None),
    ("api_log_role", False, False),
    ("api_log_role", "false", False),
    ("api_log_role", "true", True),
    ("discovery_user", True, True),
    ("discovery_user", "true", True),
    ("discovery_user", "false", False),
    ("api_rate_limit", 1, 1),
    ("api_rate_limit", "10000", 10_000),
    ("api_burst_limit", "1", 1),
    ("api_burst_limit", 10_000, 10_000),
    ("aggregator_group_by", "type", ("type",)),
    ("aggregator_group_by", "type, city", ("type", "city")),
    ("aggregator_group_by", ["type", "a name"], ("type", "a name")),
    ("aggregator_group_by", "", ()),
    ("aggregator_group_by", [], ()),
    *[
        (name, value, expected)
        for name in (
            "aggregator_event_ttl_days",
            "ingest_event_ttl_days",
            "ingest_lake_glacier_days",
        )
        for value, expected in DAYS
    ],
    # Not before the objects have moved, after 90 days by default.
    *[("ingest_lake_expiry_days", value, days) for value, days in DAYS if days != 1],
    ("ingest_lake_expiry_days", "91", 91),
    ("consumer_bus", "default", "default"),
    ("consumer_bus", "a/b.c-D_1", "a/b.c-D_1"),
    ("consumer_bus", "x" * 256, "x" * 256),
    ("consumer_bus", "", None),
    ("consumer_bus", None, None),
    ("ingest_dynamic_partitioning", True, True),
    ("ingest_dynamic_partitioning", "true", True),
    ("ingest_dynamic_partitioning", "false", False),
    ("ingest_replica_bucket", "", None),
    ("ingest_replica_bucket", None, None),
    ("ingest_replica_key", "", None),
    ("ingest_replica_key", None, None),
    ("vpc_cidr", "192.168.7.0/24", "192.168.7.0/24"),
    *[("vpc_zones", value, zones) for value, zones in ((1, 1), ("1", 1), (2, 2), ("2", 2))],
    *[(name, value, ()) for name in ("public_cidrs", "private_cidrs") for value in NOTHING],
    *[
        (name, value, ("10.0.128.0/20", "10.0.144.0/20"))
        for name in ("public_cidrs", "private_cidrs")
        for value in (
            "10.0.128.0/20,10.0.144.0/20",
            "10.0.128.0/20, 10.0.144.0/20",
            ["10.0.128.0/20", "10.0.144.0/20"],
        )
    ],
    *[("nat_gateway", value, True) for value in (True, "true")],
    *[("nat_gateway", value, False) for value in (False, "false")],
    *[("ssh_cidr", value, value) for value in ("203.0.113.7/32", "203.0.113.0/24")],
    *[(name, value, None) for name in ("ssh_cidr", "ami", "budget_email") for value in ("", None)],
    *[("ami", value, value) for value in ("ami-0abcdef1234567890", "ami-1a2b3c4d", "latest")],
    *[("private_host", value, value) for value in ("none", "endpoint", "jump")],
    ("budget_email", "åsa@example.com", "åsa@example.com"),
    *[("budget_usd", value, 1) for value in (1, "1")],
    *[("budget_usd", value, 1_000_000) for value in (1_000_000, "1000000")],
]
REPLICA = {
    "stage": "prod",
    "ingest_replica_bucket": "arn:aws:s3:::copies.of-the-lake",
    "ingest_replica_key": "arn:aws:kms:eu-north-1:123456789012:key/mrk-1a2b3c",
}
NO_LIMITS: list[object] = [
    *("", 0, -1, 10_001, "1.0", 1.5, "1e3", " 1", "many", True, None, [1], "9" * 99),
]
NO_ARNS: list[object] = [
    *("copies", "s3://copies", "arn:aws:s3:::", "arn:aws:s3:::a", "arn:aws:s3:::Copies"),
    *("arn:aws:s3:::copies/*", "arn:aws:kms:eu-north-1:123456789012:alias/copies", 1, True),
    "arn:aws:kms:eu-north-1:1234:key/1a2b",
]
NO_ADDRESSES: list[object] = ["me", "me@", "@x.org", "a b@x.org", "me@x", 1, ["a@b.c"]]
NO_TEXTS: list[object] = [None, 1, 10.0, True, ["10.0.0.0/16"], {}]
BAD: list[tuple[str, Any]] = [
    *[("stage", value) for value in ("", "Dev", "production", " dev", None, 1, ["dev"])],
    *[("architecture", value) for value in ("", "arm", "x86-64", "amd64", None, True)],
    *[("alarm_email", value) for value in NO_ADDRESSES],
    *[
        (name, value)
        for name in ("api_log_role", "discovery_user", "ingest_dynamic_partitioning")
        for value in ("", "True", "yes", "0", 0, 1, None, ())
    ],
    *[(name, value) for name in ("api_rate_limit", "api_burst_limit") for value in NO_LIMITS],
    *[
        ("aggregator_group_by", value)
        for value in (
            '["a"]',
            "a,",
            ",",
            "a,,b",
            "a,a",
            ["a", "a"],
            ["a", 1],
            [""],
            1,
            {"a": 1},
            True,
        )
    ],
    *[
        (name, value)
        for name in (
            "aggregator_event_ttl_days",
            "ingest_event_ttl_days",
            "ingest_lake_glacier_days",
            "ingest_lake_expiry_days",
        )
        for value in (-1, "-1", 3_651, "00", "Never", "x", 1.5, 0.0, True, False, [1], [])
    ],
    *[("consumer_bus", value) for value in ("a b", "åsa", "x" * 257, "x\n", 1, True, ["x"])],
    *[("ingest_replica_bucket", value) for value in (*NO_ARNS, REPLICA["ingest_replica_key"])],
    *[("ingest_replica_key", value) for value in (*NO_ARNS, REPLICA["ingest_replica_bucket"])],
    *[("vpc_cidr", value) for value in NO_TEXTS],
    *[("vpc_zones", value) for value in ("", 0, "0", 3, "3", -1, 1.0, "two", True, None, [2])],
    *[
        (name, value)
        for name in ("public_cidrs", "private_cidrs")
        for value in ('["10.0.128.0/20"]', ",", "10.0.128.0/20,", ["a", "a"], ["a", 1], 1, True)
    ],
    *[("nat_gateway", value) for value in ("", "True", "yes", "0", 0, 1, None, ())],
    *[
        ("ami", value)
        for value in (
            *("ami-", "ami-0abcdef123456789", "ami-0abcdef12345678901", "ami-0ABCDEF1234567890"),
            *(
                "ami-1a2b3c4",
                "Latest",
                "newest",
                " latest",
                "ami-1a2b3c4d\n",
                "i-1a2b3c4d",
                1,
                True,
            ),
            ["latest"],
        )
    ],
    *[("private_host", value) for value in ("", "Jump", "public", "true", True, False, None, 1)],
    *[("budget_email", value) for value in NO_ADDRESSES],
    *[("budget_usd", value) for value in ("", 0, -1, 1_000_001, "13.5", 13.5, "$13", True, None)],
]
# Its texts say why, and are those of tests/unit/test_ssh_source.py.
BAD_SSH: list[Any] = ["0.0.0.0/0", "203.0.0.0/16", "10.0.0.1/32", "::/0", "mine", 1, True, ["a"]]


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_an_option_is_read_whether_from_the_command_line_or_from_json(
    name: str, value: object, expected: object
) -> None:
    config = Config.from_context({name: value})
    assert getattr(config, name) == expected
    assert type(getattr(config, name)) is type(expected)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_fails_with_the_option_and_the_value(name: str, value: object) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_context({name: value})
    assert str(error.value).startswith(f"{name}={value!r} is ")
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("value", BAD_SSH)
def test_from_where_ssh_is_allowed_is_checked_and_the_option_named(value: object) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_context({"ssh_cidr": value})
    assert str(error.value).startswith("ssh_cidr: ")
    assert str(value) in str(error.value)


def test_every_option_is_tested_here() -> None:
    names = {field.name for field in fields(Config)}
    assert names == {name for name, *_ in GOOD} == {"ssh_cidr", *(name for name, _ in BAD)}


def test_without_context_the_defaults_are_safe_and_cheap() -> None:
    assert Config.from_context({}) == DEFAULTS
    assert (DEFAULTS.stage, DEFAULTS.is_prod, DEFAULTS.architecture) == ("dev", False, "arm64")
    assert (DEFAULTS.api_rate_limit, DEFAULTS.api_burst_limit) == (100, 200)
    # Nothing that somebody keeps is deleted.
    assert DEFAULTS.ingest_event_ttl_days is DEFAULTS.ingest_lake_expiry_days is None
    assert DEFAULTS.ingest_lake_glacier_days == 90
    # Nothing is open, and nothing is paid for by the hour but a small host and its address.
    assert DEFAULTS.ssh_cidr is DEFAULTS.ami is DEFAULTS.budget_email is None
    assert (DEFAULTS.nat_gateway, DEFAULTS.private_host, DEFAULTS.budget_usd) == (False, "none", 13)
    assert (DEFAULTS.vpc_cidr, DEFAULTS.vpc_zones) == ("10.0.0.0/16", 2)


def test_only_prod_is_prod() -> None:
    assert Config(stage="prod").is_prod


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("stag", "stage"),
        ("Stage", "stage"),
        ("architectures", "architecture"),
        ("alarm-email", "alarm_email"),
        ("api_ratelimit", "api_rate_limit"),
        ("aggregator_groupby", "aggregator_group_by"),
        ("aggregator_ttl_days", "aggregator_event_ttl_days"),
        ("lake_expiry_days", "ingest_lake_expiry_days"),
        ("consumer-bus", "consumer_bus"),
        ("ssh-cidr", "ssh_cidr"),
        ("nat_gateways", "nat_gateway"),
        ("privatehost", "private_host"),
    ],
)
def test_an_unknown_option_suggests_the_one_that_was_meant(wrong: str, right: str) -> None:
    with pytest.raises(ConfigError, match=f"'{wrong}'.*mean '{right}'"):
        Config.from_context({wrong: "x"})


def test_an_unknown_option_that_is_like_two_suggests_both() -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_context({"event_ttl_days": "1"})
    for name in ("aggregator_event_ttl_days", "ingest_event_ttl_days"):
        assert repr(name) in str(error.value)


def test_an_option_like_no_other_lists_all() -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_context({"zzz": "x"})
    assert all(field.name in str(error.value) for field in fields(Config))


def test_the_lake_s_copies_go_to_a_bucket_with_a_key_in_prod() -> None:
    config = Config.from_context(REPLICA)
    assert config.ingest_replica_bucket == REPLICA["ingest_replica_bucket"]
    assert config.ingest_replica_key == REPLICA["ingest_replica_key"]


@pytest.mark.parametrize("missing", REPLICA)
def test_copies_need_prod_the_bucket_and_the_key(missing: str) -> None:
    context = {name: value for name, value in REPLICA.items() if name != missing}
    with pytest.raises(ConfigError) as error:
        Config.from_context(context)
    assert all(word in str(error.value) for word in REPLICA)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(("30", "31"), (30, 31)), (("never", "1"), (None, 1)), (("30", "never"), (30, None))],
)
def test_objects_are_deleted_after_they_have_moved_or_one_of_both(
    days: tuple[str, str], expected: tuple[int | None, int | None]
) -> None:
    names = ("ingest_lake_glacier_days", "ingest_lake_expiry_days")
    config = Config.from_context(dict(zip(names, days, strict=True)))
    assert (config.ingest_lake_glacier_days, config.ingest_lake_expiry_days) == expected


@pytest.mark.parametrize(
    "context",
    [
        {"ingest_lake_glacier_days": "30", "ingest_lake_expiry_days": "30"},
        {"ingest_lake_glacier_days": 31, "ingest_lake_expiry_days": 30},
        {"ingest_lake_expiry_days": "90"},
    ],
)
def test_objects_cannot_be_deleted_before_they_have_moved(context: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_context(context)
    assert str(error.value).startswith(
        f"ingest_lake_expiry_days={context['ingest_lake_expiry_days']} is not more than "
    )
    assert "ingest_lake_glacier_days=never" in str(error.value)


def test_the_addresses_of_the_network_come_from_its_options() -> None:
    config = Config.from_context(
        {"vpc_cidr": "192.168.0.0/16", "vpc_zones": "1", "private_cidrs": "192.168.200.0/24"}
    )
    chosen = config.address_plan
    assert str(chosen.vpc) == "192.168.0.0/16"
    assert [str(each) for each in chosen.public] == ["192.168.0.0/20"]
    assert [str(each) for each in chosen.private] == ["192.168.200.0/24"]


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"vpc_cidr": "10.0.0.0/8"}, "a VPC has at most a /16"),
        ({"vpc_cidr": ""}, "such as 10.0.0.0/16"),
        ({"vpc_cidr": "10.0.0.0/26"}, "take a /24 or wider"),
        ({"public_cidrs": "10.0.128.0/20"}, "public_cidrs names 1 CIDR blocks for 2 zones"),
        ({"vpc_zones": "1", "public_cidrs": "10.1.0.0/20"}, "not inside of the VPC's 10.0.0.0/16"),
        ({"vpc_zones": 1, "private_cidrs": ["10.0.0.0/24"]}, "10.0.0.0/20 and 10.0.0.0/24 overlap"),
    ],
)
def test_addresses_that_do_not_fit_are_refused_before_anything_is_made(
    context: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_context(context)
    assert str(error.value).startswith("The network's addresses: ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    "key",
    [
        "@aws-cdk/core:checkSecretUsage",
        "aws:cdk:enable-path-metadata",
        "aws:cdk:bundling-stacks",
        "aws-cdk:enableDiffNoFail",
        "availability-zones:account=123456789012:region=us-east-1",
        "ssm:account=123456789012:parameterName=/x:region=us-east-1",
        "cdk-migrate",
        "cli-telemetry",
        "acknowledged-issue-numbers",
        "tree",
    ],
)
def test_what_belongs_to_cdk_itself_is_left_alone(key: str) -> None:
    assert Config.from_context({key: "x"}) == DEFAULTS


@pytest.mark.parametrize("key", ["trees", "tree_stage", "path-metadatas"])
def test_what_only_begins_like_a_key_of_cdk_is_unknown(key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        Config.from_context({key: "x"})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        DEFAULTS.stage = "prod"  # type: ignore[misc]
