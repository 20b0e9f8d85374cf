"""The app's settings: read once from CDK context, checked, frozen.

Every option is a context value (`-c name=value`, or `context` in cdk.json). Values from the
command line are strings, values from cdk.json keep their JSON type; both are accepted.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

Stage = Literal["dev", "prod"]
Architecture = Literal["arm64", "x86_64"]

# Context keys that belong to CDK itself: feature flags, look-ups and CLI settings.
_FOREIGN = re.compile(
    r"^(@|aws:|aws-cdk:|cdk-|cli-)|:|^(acknowledged-issue-numbers|path-metadata|tree)$"
)


class ConfigError(ValueError):
    """A context value is unknown or out of range; the text says what would be right."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the whole app.

    Attributes:
        stage: `dev` goes without a trace when destroyed; `prod` retains its data, keeps
            point-in-time backups, uses customer-managed keys and refuses deletion.
        architecture: instruction set of functions (and later hosts) on AWS.
        alarm_email: address subscribed to the alarm topic; none by default.
        api_log_role: whether this app sets the account-wide role with which API Gateway
            writes access logs. Turn it off where another application owns that setting.
        api_rate_limit: steady requests per second an API stage accepts.
        api_burst_limit: requests an API stage accepts at once.
        aggregator_group_by: names of the top-level fields by which events are grouped;
            empty means the whole body.
        aggregator_event_ttl_days: days after which an event is deleted; None keeps it.
        discovery_user: whether discovery also has an IAM user, in the group that may use it;
            without access key.
    """

    stage: Stage = "dev"
    architecture: Architecture = "arm64"
    alarm_email: str | None = None
    api_log_role: bool = True
    api_rate_limit: int = 100
    api_burst_limit: int = 200
    aggregator_group_by: tuple[str, ...] = ()
    aggregator_event_ttl_days: int | None = None
    discovery_user: bool = False

    @property
    def is_prod(self) -> bool:
        """Whether data must survive the stack."""
        return self.stage == "prod"

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Config:
        """Read the settings from all context values of the app.

        Raises:
            ConfigError: a key is unknown or a value is not allowed.
        """
        known = {field.name for field in fields(cls)}
        own = {key: value for key, value in context.items() if not _FOREIGN.search(key)}
        for key in own:
            if key not in known:
                raise ConfigError(_unknown(key, known))
        values: dict[str, Any] = {}
        if "stage" in own:
            values["stage"] = cast("Stage", _one_of("stage", own["stage"], ("dev", "prod")))
        if "architecture" in own:
            values["architecture"] = cast(
                "Architecture",
                _one_of("architecture", own["architecture"], ("arm64", "x86_64")),
            )
        if own.get("alarm_email"):
            values["alarm_email"] = _email("alarm_email", own["alarm_email"])
        for key in ("api_log_role", "discovery_user"):
            if key in own:
                values[key] = _boolean(key, own[key])
        for key in ("api_rate_limit", "api_burst_limit"):
            if key in own:
                # 10,000 is an account's default quota (Amazon API Gateway quotas, 2026-11-21).
                values[key] = _integer(key, own[key], low=1, high=10_000)
        if own.get("aggregator_group_by"):
            values["aggregator_group_by"] = _names(
                "aggregator_group_by", own["aggregator_group_by"]
            )
        if own.get("aggregator_event_ttl_days"):
            values["aggregator_event_ttl_days"] = _integer(
                "aggregator_event_ttl_days", own["aggregator_event_ttl_days"], low=1, high=3_650
            )
        return cls(**values)


def _unknown(key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}."
    return f"Unknown context option {key!r}: {hint}"


def _one_of(key: str, value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ConfigError(f"{key}={value!r} is not one of {', '.join(allowed)}.")
    return str(value)


def _boolean(key: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ConfigError(f"{key}={value!r} is neither true nor false.")


def _integer(key: str, value: object, *, low: int, high: int) -> int:
    text = str(value)
    if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
        raise ConfigError(f"{key}={value!r} is not a whole number from {low} to {high}.")
    return int(text)


def _email(key: str, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise ConfigError(f"{key}={value!r} is not an e-mail address.")
    return value


def _names(key: str, value: object) -> tuple[str, ...]:
    """Accept a JSON list from cdk.json, or names separated by commas."""
    if isinstance(value, str) and value.startswith("["):
        raise ConfigError(f"{key}={value!r} is JSON, not names separated by commas.")
    parts = value.split(",") if isinstance(value, str) else value
    names = (
        [part.strip() for part in parts]
        if isinstance(parts, list) and all(isinstance(part, str) for part in parts)
        else []
    )
    if not names or not all(names) or len(set(names)) != len(names):
        raise ConfigError(f"{key}={value!r} is not a list of different field names.")
    return tuple(names)
