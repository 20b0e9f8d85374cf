"""Rules of all suites. Order is random (pytest-randomly; `-p no:randomly` for none)."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Powertools reads these when a handler is imported: on Lambda the stack has set them by then.
os.environ["POWERTOOLS_SERVICE_NAME"] = "tests"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "AwsOdyssey"

# pytest-xdist gives its workers the size of a terminal, which the console would keep for good.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)

# A bundle of certificates is no account.
_HARMLESS = frozenset({"AWS_CA_BUNDLE"})
_OURS = ("ODYSSEY_TARGET", "ODYSSEY_ACCOUNT", "ODYSSEY_PROFILE")


class TwoHalves(LoadScopeScheduling):
    """One worker gets the tests that share a local cloud, another everything else.

    That is half of the time each, and what a session makes once is still made once.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "local" if nodeid.startswith("tests/local/") else "others"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoHalves | None:
    """Split what `./odyssey test` runs, and leave other values of --dist to pytest-xdist."""
    return TwoHalves(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the demos for the end: they measure, and by then the other half has ended.

    The pages come first: whoever follows them waits for half of the time, which others can use.
    """
    first, last = "tests/docs/", "tests/local/test_demo.py"
    items.sort(
        key=lambda item: item.nodeid.startswith(last) - item.nodeid.startswith(first),
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-examples",
        type=int,
        default=4,
        help="how many random requests each operation of an API gets (tests/local)",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that proofs have recorded: `record_property("figures", …)`."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "figures" and report.when == "call":
                    terminalreporter.write_line(str(value))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Tell what a proof tried, as `figures` takes it; the summary prints it at the end."""
    # Its console must not be made before there is no size of a terminal any more.
    from odyssey_cli.figures import figures  # noqa: PLC0415

    def tell(proof: str, **found: Any) -> None:
        record_property("figures", json.dumps({"proof": proof, **figures(**found)}))

    return tell


@pytest.fixture(autouse=True, scope="session")
def no_account_of_the_user() -> Iterator[None]:
    """Keep the user's credentials, endpoints, region and CDK settings from every test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "CDK_")) and name not in _HARMLESS:
                patch.delenv(name)
        for name in _OURS:
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Return the run's seed, which pytest prints beside a failure, for generated cases."""
    seed = int(request.config.getoption("randomly_seed", default=0))
    print(f"To replay: --randomly-seed={seed}")  # noqa: T201
    return seed
