"""Checkov over the templates, in an environment of its own, and offline."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey_cli import cdk, paths, setup
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import Target
from odyssey_cli.tools import SetupError, Tools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FOLDER = paths.ROOT / ".ci" / "checkov"
ACCEPTED = ".ci/checkov/accepted.toml"
_LOCK = FOLDER / "requirements.lock"
_VENV = paths.STATE / "checkov"
STAGES = ("dev", "prod")
# CDK's checksum at the end of a logical id; a stage's name comes before that of a REST API's.
_CHECKSUM = re.compile(r"(?:v\d+)?[0-9A-F]{8}$|v\d+[0-9A-F]{8,}$")


@dataclass(frozen=True)
class Finding:
    """What a check of checkov's does not like.

    Attributes:
        check: its id.
        title: what it wants.
        stage: of the template.
        resource: STACK.LOGICALID, without the checksum at its end.
    """

    check: str
    title: str
    stage: str
    resource: str


@dataclass(frozen=True)
class Acceptance:
    """Findings of a check that stay, and why.

    Attributes:
        check: its id.
        stages: in each of which every one of the resources has the finding.
        resources: STACK.LOGICALID, without the checksum at its end.
        reason: why it stays.
    """

    check: str
    stages: tuple[str, ...]
    resources: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding, resource: str) -> bool:
        """Say whether one of its resources is that of a finding."""
        return (
            finding.check == self.check
            and finding.stage in self.stages
            and fnmatch.fnmatchcase(finding.resource, resource)
        )


@dataclass
class Report:
    """What a run found.

    Attributes:
        open: findings that nobody has accepted.
        accepted: how many have been.
        unused: what is accepted and not found: check, stage and resource.
        passed, resources, errors: checkov's own counts.
        seconds: how long checkov took.
    """

    open: list[Finding] = field(default_factory=list)
    accepted: int = 0
    unused: list[tuple[str, str, str]] = field(default_factory=list)
    passed: int = 0
    resources: int = 0
    errors: int = 0
    seconds: float = 0

    @property
    def ok(self) -> bool:
        """Whether checkov read everything, and every finding was accepted and no other."""
        return self.passed > 0 and not (self.errors or self.open or self.unused)


def acceptances(text: str) -> list[Acceptance]:
    """Return what a table accepts.

    Raises:
        OdysseyError: an entry lacks something, or names a stage that there is not.
    """
    try:
        table = tomllib.loads(text)
        groups = table.get("groups", {})
        return [
            Acceptance(
                entry["check"],
                _stages(entry),
                tuple(
                    resource
                    for name in entry["resources"]
                    for resource in (groups[name[1:]] if name.startswith("@") else [name])
                ),
                entry["reason"],
            )
            for entry in table["accepted"]
        ]
    except (KeyError, ValueError) as error:
        raise OdysseyError(
            f"{ACCEPTED} cannot be read: {error}.",
            "Each entry has a check, stages, resources and a reason.",
        ) from error


def _stages(entry: Mapping[str, Any]) -> tuple[str, ...]:
    stages = entry["stages"]
    if not isinstance(stages, list) or not stages or not set(stages) <= set(STAGES):
        raise ValueError(f"the stages of {entry['check']} are {stages}, not of {', '.join(STAGES)}")
    return tuple(stages)


def judge(
    found: Mapping[str, Any], accepted: Sequence[Acceptance], stages: Sequence[str]
) -> Report:
    """Hold what checkov found against what is accepted.

    Args:
        found: checkov's own report.
        accepted: the table.
        stages: those that were looked at; what is accepted of others is not judged.
    """
    summary = found["summary"]
    report = Report(
        passed=summary["passed"],
        resources=summary["resource_count"],
        errors=summary["parsing_errors"],
    )
    used: set[tuple[int, str, str]] = set()
    for each in found["results"]["failed_checks"]:
        finding = _finding(each)
        ways = {
            (index, finding.stage, resource)
            for index, entry in enumerate(accepted)
            for resource in entry.resources
            if entry.covers(finding, resource)
        }
        used |= ways
        report.accepted += bool(ways)
        if not ways:
            report.open.append(finding)
    report.unused = [
        (entry.check, stage, resource)
        for index, entry in enumerate(accepted)
        for stage in entry.stages
        if stage in stages
        for resource in entry.resources
        if (index, stage, resource) not in used
    ]
    return report


def _finding(each: Mapping[str, Any]) -> Finding:
    stage, file = Path(each["file_path"].lstrip("/")).parts[-2:]
    logical_id = each["resource"].rpartition(".")[2]
    stack = file.removesuffix(".template.json")
    return Finding(
        each["check_id"],
        each["check_name"],
        stage.removesuffix("_"),
        f"{stack}.{_CHECKSUM.sub('', logical_id)}",
    )


def run(context: Mapping[str, str], step: Callable[[str], None]) -> Report:
    """Synthesize and check.

    Args:
        context: settings of the app; both stages when they name none.
        step: told what is going on.

    Raises:
        OdysseyError: checkov could not be installed, or did not run.
    """
    _install(step)
    stages = (context["stage"],) if "stage" in context else STAGES
    accepted = acceptances((paths.ROOT / ACCEPTED).read_text(encoding="utf-8"))
    # Checkov looks for secrets in a file's own path, too: 40 letters, digits and slashes in a row
    # are an AWS key to it. Underscores break them up.
    with tempfile.TemporaryDirectory(prefix="_", suffix="_") as name:
        folder = Path(name)
        for stage in stages:
            step(f"synthesizing {stage}")
            to = Target(dict(os.environ), folder / "synth" / stage, None)
            to.state.mkdir(parents=True)
            assembly = cdk.synthesize(to, context={**context, "stage": stage})
            templates = folder / "templates_" / f"{stage}_"
            templates.mkdir(parents=True)
            for template in assembly.glob("*.template.json"):
                shutil.copy(template, templates)
        step("checking")
        begun = time.monotonic()
        report = judge(_check(folder), accepted, stages)
        report.seconds = time.monotonic() - begun
    return report


def _check(folder: Path) -> dict[str, Any]:
    """Run checkov, which finds neither an account nor settings nor a reason to call anybody."""
    ran = subprocess.run(
        [
            str(_VENV / "bin" / "checkov"),
            *("--directory", str(folder / "templates_"), "--framework", "cloudformation"),
            *("--output", "json", "--compact", "--quiet"),
            *("--skip-download", "--skip-results-upload", "--soft-fail"),
        ],
        cwd=folder,
        env={
            "HOME": str(folder),
            "PATH": os.environ.get("PATH", os.defpath),
            "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true",
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        found = json.loads(ran.stdout)
        if ran.returncode != 0 or "results" not in found:
            raise ValueError(f"it exited with {ran.returncode}")
    except (ValueError, TypeError) as error:
        raise OdysseyError(
            f"checkov did not run: {error}\n{ran.stderr[-2000:]}", "Mend that and run it again."
        ) from error
    return dict(found)


def _install(step: Callable[[str], None]) -> None:
    """Install what the lock says, unless it is there."""
    stamp = _VENV / "odyssey-lock"
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    step("installing checkov (once, about 200 MB)")
    descriptor, _ = setup.lock(step)
    try:
        tools = Tools(descriptor)
        setup.install_uv(tools)
        setup.install_python(tools, _VENV, _LOCK, keep=False)
    except SetupError as error:
        raise OdysseyError(error.problem, error.remedy) from error
    finally:
        os.close(descriptor)
    stamp.write_text(wanted, encoding="utf-8")
