"""The app's settings: read once from CDK context, checked, frozen.

Every option is a context value (`-c name=value`, or `context` in cdk.json). Values from the
command line are strings, values from cdk.json keep their JSON type; both are accepted.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from odyssey_constructs.address_plan import AddressPlan, plan
from odyssey_constructs.images import LATEST
from odyssey_constructs.ssh_source import ssh_source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Stage = Literal["dev", "prod"]
Architecture = Literal["arm64", "x86_64"]
PrivateHost = Literal["none", "endpoint", "jump"]

# Context keys that belong to CDK itself: feature flags, look-ups and CLI settings.
_FOREIGN = re.compile(
    r"^(@|aws:|aws-cdk:|cdk-|cli-)|:|^(acknowledged-issue-numbers|path-metadata|tree)$"
)


_AMI = re.compile(rf"ami-[0-9a-f]{{8}}(?:[0-9a-f]{{9}})?|{LATEST}")
# Names of buses ("CreateEventBus", Amazon EventBridge API Reference, 2026-11-21).
_BUS = re.compile(r"[/.\-_A-Za-z0-9]{1,256}")
_REPLICA_BUCKET = re.compile(r"arn:aws[a-z-]*:s3:::[a-z0-9.-]{3,63}")
_REPLICA_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+")


class ConfigError(ValueError):
    """A context value is unknown or out of range; the text says what would be right."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the whole app.

    Attributes:
        stage: `dev` goes without a trace when destroyed; `prod` retains its data, keeps
            point-in-time backups, uses customer-managed keys and refuses deletion.
        architecture: instruction set of functions and hosts on AWS.
        alarm_email: address subscribed to the alarm topic; none by default.
        api_log_role: whether this app sets the account-wide role with which API Gateway
            writes access logs. Turn it off where another application owns that setting.
        api_rate_limit: steady requests per second an API stage accepts.
        api_burst_limit: requests an API stage accepts at once.
        aggregator_group_by: names of the top-level fields by which events are grouped;
            empty means the whole body.
        aggregator_event_ttl_days: days after which an event is deleted; None keeps it.
        consumer_bus: the bus whose events the consumer reacts to; Ingest's by default.
        discovery_user: whether discovery also has an IAM user, in the group that may use it;
            without access key.
        ingest_dynamic_partitioning: whether the lake has a folder for each type of event.
        ingest_event_ttl_days: days after which a stored event is deleted; None keeps it.
        ingest_lake_glacier_days: days after which the lake's objects move to S3 Glacier; None
            leaves them where they are.
        ingest_lake_expiry_days: days after which they are deleted; None keeps them.
        ingest_replica_bucket: in prod, the ARN of a bucket that gets a copy of every object.
        ingest_replica_key: the ARN of the KMS key that encrypts the copies.
        vpc_cidr: the network's IPv4 addresses.
        vpc_zones: in how many availability zones it has subnets, 1 or 2.
        public_cidrs: the addresses of its public subnets, one CIDR block per zone; cut from
            `vpc_cidr` when empty.
        private_cidrs: those of its private subnets.
        nat_gateway: whether its private subnets reach the internet, through a NAT gateway, which
            is billed by the hour.
        ssh_cidr: from where its public host may be reached by SSH; from nowhere by default.
        ami: the image of its hosts, or `latest`; by default the one that they have, and for the
            first deployment the latest.
        private_host: whether there is a host in a private subnet, and how to reach it: by an EC2
            Instance Connect Endpoint, or through the public host.
        budget_email: address that is told when the account's month will cost more than the
            budget; there is no budget without.
        budget_usd: that budget.
    """

    stage: Stage = "dev"
    architecture: Architecture = "arm64"
    alarm_email: str | None = None
    api_log_role: bool = True
    api_rate_limit: int = 100
    api_burst_limit: int = 200
    aggregator_group_by: tuple[str, ...] = ()
    aggregator_event_ttl_days: int | None = None
    consumer_bus: str | None = None
    discovery_user: bool = False
    ingest_dynamic_partitioning: bool = False
    ingest_event_ttl_days: int | None = None
    ingest_lake_glacier_days: int | None = 90
    ingest_lake_expiry_days: int | None = None
    ingest_replica_bucket: str | None = None
    ingest_replica_key: str | None = None
    vpc_cidr: str = "10.0.0.0/16"
    vpc_zones: int = 2
    public_cidrs: tuple[str, ...] = ()
    private_cidrs: tuple[str, ...] = ()
    nat_gateway: bool = False
    ssh_cidr: str | None = None
    ami: str | None = None
    private_host: PrivateHost = "none"
    budget_email: str | None = None
    budget_usd: int = 13

    @property
    def address_plan(self) -> AddressPlan:
        """The addresses of the network and its subnets."""
        return plan(
            self.vpc_cidr,
            zones=self.vpc_zones,
            public=self.public_cidrs,
            private=self.private_cidrs,
        )

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
        values: dict[str, Any] = {
            key: _READERS[key](key, value)
            for key, value in own.items()
            if value or key not in _MAY_BE_EMPTY
        }
        return cls(**values)._consistent()

    def _consistent(self) -> Config:
        """Return the settings if they go together.

        Raises:
            ConfigError: they do not.
        """
        replica = [self.ingest_replica_bucket, self.ingest_replica_key]
        if any(replica) and not (self.is_prod and all(replica)):
            raise ConfigError(
                "ingest_replica_bucket and ingest_replica_key go together, with stage=prod."
            )
        archived, deleted = self.ingest_lake_glacier_days, self.ingest_lake_expiry_days
        if archived and deleted and deleted <= archived:
            raise ConfigError(
                f"ingest_lake_expiry_days={deleted} is not more than ingest_lake_glacier_days="
                f"{archived}; ingest_lake_glacier_days=never leaves objects where they are."
            )
        try:
            _ = self.address_plan
        except ValueError as error:
            raise ConfigError(f"The network's addresses: {error}") from None
        return self


def _unknown(key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, sorted(known), n=2, cutoff=0.7)
    hint = (
        f"did you mean {' or '.join(map(repr, close))}?"
        if close
        else f"known are {', '.join(sorted(known))}."
    )
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


def _days(key: str, value: object) -> int | None:
    if value is None or str(value) in ("", "0", "never"):
        return None
    return _integer(key, value, low=1, high=3_650)


def _matching(key: str, value: object, *, form: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ConfigError(f"{key}={value!r} is not {what}.")
    return value


def _email(key: str, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise ConfigError(f"{key}={value!r} is not an e-mail address.")
    return value


def _ssh_source(key: str, value: object) -> str:
    try:
        return ssh_source(str(value))
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{key}={value!r} is not text.")
    return value


def _names(key: str, value: object, *, what: str = "field names") -> tuple[str, ...]:
    """Accept a JSON list from cdk.json, or names separated by commas."""
    if isinstance(value, str) and value.startswith("["):
        raise ConfigError(f"{key}={value!r} is JSON, not {what} separated by commas.")
    parts = value.split(",") if isinstance(value, str) else value
    names = (
        [part.strip() for part in parts]
        if isinstance(parts, list) and all(isinstance(part, str) for part in parts)
        else []
    )
    if not names or not all(names) or len(set(names)) != len(names):
        raise ConfigError(f"{key}={value!r} is not a list of different {what}.")
    return tuple(names)


def _stage(key: str, value: object) -> str:
    return _one_of(key, value, ("dev", "prod"))


def _architecture(key: str, value: object) -> str:
    return _one_of(key, value, ("arm64", "x86_64"))


def _limit(key: str, value: object) -> int:
    # 10,000 is an account's default quota (Amazon API Gateway quotas, 2026-11-21).
    return _integer(key, value, low=1, high=10_000)


# Options that are as by default when they are empty.
_MAY_BE_EMPTY = frozenset(
    {
        "alarm_email",
        "aggregator_group_by",
        "consumer_bus",
        "ingest_replica_bucket",
        "ingest_replica_key",
        "public_cidrs",
        "private_cidrs",
        "ssh_cidr",
        "ami",
        "budget_email",
    }
)
# How each option is read: its name and value in, the value of `Config` out.
_READERS: dict[str, Callable[[str, object], object]] = {
    "stage": _stage,
    "architecture": _architecture,
    "alarm_email": _email,
    "api_log_role": _boolean,
    "api_rate_limit": _limit,
    "api_burst_limit": _limit,
    "aggregator_group_by": _names,
    "aggregator_event_ttl_days": _days,
    "consumer_bus": partial(
        _matching, form=_BUS, what="a bus's name: at most 256 letters, digits and / . - _"
    ),
    "discovery_user": _boolean,
    "ingest_dynamic_partitioning": _boolean,
    "ingest_event_ttl_days": _days,
    "ingest_lake_glacier_days": _days,
    "ingest_lake_expiry_days": _days,
    "ingest_replica_bucket": partial(
        _matching, form=_REPLICA_BUCKET, what="a bucket's ARN, such as arn:aws:s3:::copies"
    ),
    "ingest_replica_key": partial(
        _matching,
        form=_REPLICA_KEY,
        what="a key's ARN, such as arn:aws:kms:eu-north-1:123456789012:key/1a2b-3c4d",
    ),
    "vpc_cidr": _text,
    "vpc_zones": partial(_integer, low=1, high=2),
    "public_cidrs": partial(_names, what="CIDR blocks"),
    "private_cidrs": partial(_names, what="CIDR blocks"),
    "nat_gateway": _boolean,
    "ssh_cidr": _ssh_source,
    "ami": partial(
        _matching, form=_AMI, what="an image's id, such as ami-0abcdef1234567890, or latest"
    ),
    "private_host": partial(_one_of, allowed=("none", "endpoint", "jump")),
    "budget_email": _email,
    "budget_usd": partial(_integer, low=1, high=1_000_000),
}
