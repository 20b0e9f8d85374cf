"""The app's settings: every option, and every way to get it wrong."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from odyssey_constructs.config import Config, ConfigError

DEFAULTS = Config()
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
    ("aggregator_event_ttl_days", "1", 1),
    ("aggregator_event_ttl_days", 3_650, 3_650),
    ("aggregator_event_ttl_days", 0, None),
    ("aggregator_event_ttl_days", None, None),
]
NO_LIMITS: list[object] = [
    *("", 0, -1, 10_001, "1.0", 1.5, "1e3", " 1", "many", True, None, [1], "9" * 99),
]
NO_ADDRESSES: list[object] = ["me", "me@", "@x.org", "a b@x.org", "me@x", 1, ["a@b.c"]]
BAD: list[tuple[str, Any]] = [
    *[("stage", value) for value in ("", "Dev", "production", " dev", None, 1, ["dev"])],
    *[("architecture", value) for value in ("", "arm", "x86-64", "amd64", None, True)],
    *[("alarm_email", value) for value in NO_ADDRESSES],
    *[
        (name, value)
        for name in ("api_log_role", "discovery_user")
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
        ("aggregator_event_ttl_days", value)
        for value in (-1, "-1", 3_651, "0", "x", 1.5, True, [1])
    ],
]


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


def test_every_option_is_tested_here() -> None:
    names = {field.name for field in fields(Config)}
    assert names == {name for name, *_ in GOOD} == {name for name, _ in BAD}


def test_without_context_the_defaults_are_safe_and_cheap() -> None:
    assert Config.from_context({}) == DEFAULTS
    assert (DEFAULTS.stage, DEFAULTS.is_prod, DEFAULTS.architecture) == ("dev", False, "arm64")
    assert (DEFAULTS.api_rate_limit, DEFAULTS.api_burst_limit) == (100, 200)


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
        ("event_ttl_days", "aggregator_event_ttl_days"),
    ],
)
def test_an_unknown_option_suggests_the_one_that_was_meant(wrong: str, right: str) -> None:
    with pytest.raises(ConfigError, match=f"'{wrong}'.*mean '{right}'"):
        Config.from_context({wrong: "x"})


def test_an_option_like_no_other_lists_all() -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_context({"zzz": "x"})
    assert all(field.name in str(error.value) for field in fields(Config))


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
