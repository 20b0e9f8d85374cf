"""Which image hosts have: the one asked for, else the one they have, else the newest."""

from __future__ import annotations

import pytest

from odyssey_constructs.config import Architecture, Config
from odyssey_constructs.images import image, kept_as

ACCOUNT, REGION = "123456789012", "eu-north-1"
HERE = {"CDK_DEFAULT_ACCOUNT": ACCOUNT, "CDK_DEFAULT_REGION": REGION}
KEPT, ASKED = "ami-0123456789abcdef0", "ami-0abcdef1234567890"


def held(
    account: str = ACCOUNT, region: str = REGION, architecture: str = "arm64"
) -> dict[str, object]:
    return {"stage": "dev", kept_as(account, region, architecture): KEPT}


def test_without_a_word_and_without_a_host_it_is_the_newest() -> None:
    assert image(Config(), {}, HERE) is None


def test_a_host_keeps_the_image_that_it_has() -> None:
    assert image(Config(), held(), HERE) == KEPT


def test_an_image_that_is_asked_for_wins() -> None:
    assert image(Config(ami=ASKED), held(), HERE) == ASKED
    assert image(Config(ami=ASKED), {}, {}) == ASKED


def test_the_newest_that_is_asked_for_wins_too() -> None:
    assert image(Config(ami="latest"), held(), HERE) is None


@pytest.mark.parametrize(
    "other",
    [
        held(account="210987654321"),
        held(region="us-east-1"),
        held(architecture="x86_64"),
        held(account="", region=""),
    ],
    ids=["account", "region", "architecture", "nowhere"],
)
def test_what_another_account_region_or_architecture_has_is_not_used(
    other: dict[str, object],
) -> None:
    assert image(Config(), other, HERE) is None


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_each_architecture_has_an_image_of_its_own(architecture: Architecture) -> None:
    config = Config(architecture=architecture)
    assert image(config, held(architecture=architecture), HERE) == KEPT


@pytest.mark.parametrize("missing", HERE)
def test_where_the_cdk_does_not_say_for_which_account_nothing_is_kept(missing: str) -> None:
    unknown = {name: value for name, value in HERE.items() if name != missing}
    assert image(Config(), held(), unknown) is None


def test_an_empty_note_is_none() -> None:
    assert image(Config(), {kept_as(ACCOUNT, REGION, "arm64"): ""}, HERE) is None


def test_the_key_belongs_to_no_option() -> None:
    # Otherwise the app would refuse it as an unknown one.
    assert Config.from_context({kept_as(ACCOUNT, REGION, "arm64"): KEPT}) == Config()
