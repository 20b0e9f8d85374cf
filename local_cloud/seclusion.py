"""Keeps one local cloud to itself: no stray scripts, no foreign packages, no shared folders.

MiniStack is written to be the only one in a container. Here two of them run side by side on
somebody's machine, and the functions they run must meet what they would meet in AWS.
"""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from local_cloud.ground import Hook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SCRIPTS = Hook("ministack.app", "_collect_scripts")
_WORKER = Hook("ministack.core.lambda_runtime", "_PYTHON_WORKER_SCRIPT")
HOOKS = (_SCRIPTS, _WORKER)

# Prepended to the program of a function's worker. The worker runs on the cloud's own
# environment, whose packages would hide a dependency that a bundle has forgotten.
_ONLY_THE_RUNTIME = """
import sys
sys.path[:] = [p for p in sys.path if not p.endswith(("site-packages", "dist-packages"))]
sys.path.append({folder!r})
"""


def environment(given: Mapping[str, str], *, port: int, tmp: Path) -> dict[str, str]:
    """Return the whole environment of the server, which its functions inherit.

    Args:
        given: The environment the server was started with; only what is named here survives.
        port: The port it listens on.
        tmp: A folder of its own for everything temporary.
    """
    kept = ("PATH", "NODE_PATH", "ODYSSEY_CLOUD")
    return {
        **{name: given[name] for name in kept if name in given},
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",  # as in Lambda
        "HOME": str(tmp),  # else a function's SDK reads ~/.aws of whoever started the cloud
        "TMPDIR": str(tmp),
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",  # else MQTT listens on every interface
        "SFTP_ENABLED": "0",
        "SFTP_HOST": "127.0.0.1",
        "S3_DATA_DIR": str(tmp / "s3"),
        "STATE_DIR": str(tmp / "state"),
        # Else it takes hold of containers on the machine's Docker that it believes are its own.
        "DOCKER_HOST": f"unix://{tmp}/no-docker.sock",
        "LOG_LEVEL": "WARNING",
    }


# Read by MiniStack while it is imported; a function must not inherit them (a logging library
# in it would take LOG_LEVEL for its own).
ONLY_AT_IMPORT = ("LOG_LEVEL", "AUTH", "BIND_HOST")


def distributions(name: str) -> set[str]:
    """Return `name` and, recursively, the names of the distributions it requires."""
    found = {name}
    for requirement in metadata.distribution(name).requires or []:
        if "extra ==" not in requirement:
            required = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
            found |= distributions(required)
    return found


def make_runtime(folder: Path) -> None:
    """Fill `folder` with links to what the Lambda runtime offers a function: the AWS SDK.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html ("Runtime-included SDK
    versions"), read 2026-11-21.
    """
    folder.mkdir(parents=True)
    for name in distributions("boto3"):
        distribution = metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or [] if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            (folder / top).symlink_to(Path(str(distribution.locate_file(top))))


def install(tmp: Path) -> None:
    """Make MiniStack ignore start-up scripts and show functions only their own packages."""
    runtime = tmp / "runtime"
    make_runtime(runtime)
    prologue = _ONLY_THE_RUNTIME.format(folder=str(runtime))

    # It runs whatever lies in two fixed folders under / that belong to containers.
    def no_scripts(_: object) -> Callable[..., list[str]]:
        return lambda *_folders: []

    _SCRIPTS.replace(no_scripts)
    _WORKER.replace(lambda program: prologue + program)
    for name in ONLY_AT_IMPORT:
        os.environ.pop(name, None)
