"""What the local tests share: one cloud of their own, and the stacks on it."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import cdk, cloud, paths
from odyssey_cli import target as targets
from tests.local.sources import Bench

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path


NOT_SET_UP = "the local cloud is not set up; ./odyssey test does that and runs everything"


@pytest.fixture(autouse=True, scope="session")
def local_cloud_is_installed() -> None:
    if not (paths.CLOUD_VENV / "bin" / "python").exists():
        pytest.skip(NOT_SET_UP)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Place all of these skips here, so that pytest says them in one line."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and NOT_SET_UP in report.longrepr[2]:
        report.longrepr = (__file__, 1, report.longrepr[2])
    return report


@pytest.fixture(scope="session")
def cloud_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cloud")


@pytest.fixture(scope="session")
def running(local_cloud_is_installed: None, cloud_state: Path) -> Iterator[cloud.Cloud]:
    """A cloud that tests share: they may add to it, and must not end it."""
    yield cloud.start(cloud_state, with_parent=True)
    cloud.stop(cloud_state)


@pytest.fixture(scope="session")
def target(running: cloud.Cloud) -> targets.Target:
    return targets.at(running)


@pytest.fixture(scope="session")
def deployed(target: targets.Target) -> targets.Target:
    """The shared cloud with every stack deployed."""
    assembly = cdk.synthesize(target)
    cdk.bootstrap(target)
    cdk.deploy(target, assembly, [])
    return target


@pytest.fixture
def bench(target: targets.Target) -> Bench:
    return Bench(target)


@pytest.fixture(scope="session")
def scale(running: cloud.Cloud) -> float:
    with urllib.request.urlopen(f"{running.endpoint}/_odyssey/health") as answer:  # noqa: S310
        return float(json.load(answer)["clock_scale"])
