"""The benchmark's price of Network, and of what else is billed by the hour."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App

from app import context_defaults
from bench import idle, network, network_app
from bench.prices import GB, PRICES
from bench.template import Template
from odyssey_cli import paths
from odyssey_constructs.config import Config
from odyssey_constructs.vpc import NAT_USD_A_MONTH
from stacks.network import Network

if TYPE_CHECKING:
    from bench.idle import Idle

HOST = 730 * 0.0084
ADDRESS = 730 * 0.005
VOLUME = 8 * 0.08
NAT = 730 * 0.045 + ADDRESS
ALARM, KEY = 0.10, 1.00
DEFAULT = HOST + ADDRESS + VOLUME
OTHERS = {
    "Network": Config(),
    "OneZone": Config(vpc_zones=1),
    "Jump": Config(private_host="jump"),
    "Prod": Config(stage="prod"),
    "Budget": Config(budget_email="me@example.com"),
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """Network as its options make it, synthesized once."""
    folder = tmp_path_factory.mktemp("network") / "cdk.out"
    app = App(
        outdir=str(folder), context=context_defaults(), builtin_cloud_formation_validation=False
    )
    network_app.build(app)
    for name, config in OTHERS.items():
        Network(app, name, ami=None, config=config)
    app.synth()
    return {name: Template.read(folder, name) for name in [*network.VARIANTS, *OTHERS]}


@pytest.mark.parametrize(
    ("stack", "usd", "alarms"),
    [
        ("Network", DEFAULT, 1),
        ("OneZone", DEFAULT, 1),
        ("Budget", DEFAULT, 1),
        ("NetworkWithNat", DEFAULT + NAT, 1),
        ("NetworkWithPrivateHost", DEFAULT + HOST + VOLUME, 2),
        ("Jump", DEFAULT + HOST + VOLUME, 2),
        ("Prod", DEFAULT + KEY, 1),
    ],
)
def test_a_network_is_priced_from_its_template(
    templates: dict[str, Template], stack: str, usd: float, alarms: int
) -> None:
    found = idle.idle(templates[stack])

    assert found.usd_beyond_free() == pytest.approx(usd)
    assert found.usd() == pytest.approx(usd + alarms * ALARM)


def test_a_stopped_host_is_billed_for_its_volume_only(templates: dict[str, Template]) -> None:
    assert idle.idle(templates["Network"], up=0).usd_beyond_free() == pytest.approx(VOLUME)


def test_a_nat_gateway_is_billed_whether_its_hosts_run_or_not(
    templates: dict[str, Template],
) -> None:
    stopped = idle.idle(templates["NetworkWithNat"], up=0)

    assert stopped.usd_beyond_free() == pytest.approx(VOLUME + NAT)


def test_a_host_that_works_in_office_hours_is_billed_for_these(
    templates: dict[str, Template],
) -> None:
    found = idle.idle(templates["Network"], up=network.WORKING_HOURS)

    assert found.counts["t4g.micro"] == pytest.approx(217.26, abs=0.01)
    assert found.usd_beyond_free() == pytest.approx(217.26 * 0.0134 + VOLUME, abs=0.001)


def test_the_default_budget_is_above_the_default_network(templates: dict[str, Template]) -> None:
    # Or the first month's mail would come from doing nothing.
    assert idle.idle(templates["Network"]).usd() < Config().budget_usd


def test_the_deployment_tells_the_price_of_a_nat_gateway_that_the_table_has() -> None:
    # The construct cannot import a benchmark, so it has a copy.
    listed = PRICES["nat"].of(730) + PRICES["address"].of(730)
    assert listed == pytest.approx(NAT_USD_A_MONTH)
    source = (paths.ROOT / "constructs" / "odyssey_constructs" / "vpc.py").read_text("utf-8")
    assert f"{PRICES['nat_bytes'].of(GB)} USD a GB" in source


def test_a_kind_without_a_price_is_an_error() -> None:
    host = {"InstanceType": "m7g.metal", "NetworkInterfaces": [], "BlockDeviceMappings": []}

    with pytest.raises(LookupError, match=r"No price is known for m7g\.metal"):
        idle.idle(stack(host))


def test_an_x86_host_has_its_own_price() -> None:
    host = {"InstanceType": "t3.micro", "NetworkInterfaces": [], "BlockDeviceMappings": []}

    assert idle.idle(stack(host)).usd() == pytest.approx(730 * 0.0104)


def stack(host: dict[str, Any], name: str = "Hosts") -> Template:
    return Template(name, {"Host": {"Type": "AWS::EC2::Instance", "Properties": host}}, {})


def test_all_stacks_are_shown_with_and_without_what_is_billed_by_the_hour() -> None:
    # GIVEN a host, and a stack of alarms
    host = {"InstanceType": "t4g.micro", "NetworkInterfaces": [], "BlockDeviceMappings": []}
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {}}
    alarms = Template("Alarms", {f"Alarm{number}": alarm for number in range(12)}, {})

    # WHEN both are priced
    rows = {row.row: row for row in idle.rows({"dev": [stack(host), alarms]})}

    # THEN the sum is there twice, and each stack is held against what its kind may cost
    assert rows["a month idle, all stacks but Hosts in dev"].figure == pytest.approx(0.20)
    assert rows["a month idle, all stacks in dev"].figure == pytest.approx(HOST + 0.20)
    assert rows["a month idle, Alarms in dev"].budget == 1
    assert rows["a month idle, Hosts in dev"].budget == Config().budget_usd
    assert "730 hours of a t4g.micro" in rows["a month idle, Hosts in dev"].detail
    assert "by the hour" not in rows["a month idle, Alarms in dev"].detail


def test_each_choice_has_a_row_of_its_own(templates: dict[str, Template]) -> None:
    rows = {row.row: row for row in network.rows(templates["Network"], templates)}

    assert {name: row.figure for name, row in rows.items()} == {
        "a month idle, Network with a NAT gateway": pytest.approx(46.92, abs=0.005),
        "a month idle, Network with a private host": pytest.approx(17.19, abs=0.005),
        "a month idle, Network stopped at night and on weekends": pytest.approx(3.55, abs=0.005),
        "a month idle, Network stopped all month": pytest.approx(0.64),
        "a GB from Network to the internet": 0.09,
    }
    assert "36.50 USD more" in rows["a month idle, Network with a NAT gateway"].detail
    assert rows["a GB from Network to the internet"].other == "0.135 USD through a NAT gateway"


def section(page: str, title: str) -> str:
    text = (paths.ROOT / page).read_text(encoding="utf-8")
    return re.split(r"^## ", text.partition(f"\n## {title}\n")[2], flags=re.MULTILINE)[0]


def shown(found: Idle) -> str:
    return f"{found.usd_beyond_free():.2f} | {found.usd():.2f} |"


def test_the_page_on_costs_shows_what_the_templates_cost(templates: dict[str, Template]) -> None:
    text = section("docs/costs.md", "Network")

    default = templates["Network"]
    for found in (
        idle.idle(default),
        idle.idle(templates["NetworkWithNat"]),
        idle.idle(templates["NetworkWithPrivateHost"]),
        idle.idle(templates["Prod"]),
        idle.idle(default, up=network.WORKING_HOURS),
        idle.idle(default, up=0),
    ):
        assert shown(found) in text
    assert shown(idle.idle(default)) in (paths.ROOT / "README.md").read_text(encoding="utf-8")
