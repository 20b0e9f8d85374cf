"""Runs the real CDK: one synth of the app, then its CLI on the assembly."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from odyssey_cli import assemblies, kept_image, paths
from odyssey_cli.cloud import ACCOUNT, REGION
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from odyssey_cli.target import Target

# "EventAggregator |  3/45 | 1:32:11 AM | CREATE_COMPLETE | AWS::SNS::Topic | …"
_EVENT = re.compile(r"^(?P<stack>[\w-]+) \| +(?P<done>\d+)/(?P<all>\d+) \|.*?\| (?P<what>[A-Z_]+) ")
# "ERROR The queue is open. (AwsSolutions)", and on the next line where.
_FINDING = re.compile(r"ERROR (.+)\n\s+(\S+)")
# What the CDK CLI tells an app that it runs, so that both ways give the same template.
_CLI_CONTEXT = {"aws:cdk:enable-path-metadata": True, "aws:cdk:enable-asset-metadata": True}
_QUIET = {
    # Nothing that we run for a user reports to anybody.
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "true",
}


def synthesize(
    target: Target, *, context: Mapping[str, str] | None = None, validate: bool = False
) -> Path:
    """Run app.py once, if it would not make what it has made before; return the cloud assembly.

    Args:
        target: what it is for; the assembly is in its `cdk.out`.
        context: settings, as `cdk -c` takes them.
        validate: also check against CloudFormation's own rules, which takes some seconds.

    Raises:
        OdysseyError: the app refused its settings or a check found something.
    """
    assembly = target.state / "cdk.out"
    settings = _CLI_CONTEXT | kept_image.context(target) | dict(context or {})
    environment = (
        target.environment
        | _QUIET
        | {
            "CDK_CONTEXT_JSON": json.dumps(settings),
            "CDK_DEFAULT_ACCOUNT": target.account,
            "CDK_DEFAULT_REGION": target.environment.get("AWS_REGION", ""),
            "CDK_VALIDATION": "true" if validate else "false",
        }
    )
    key = assemblies.key(environment)
    if not assemblies.bring(key, assembly):
        with assemblies.making(key, assembly) as made:
            _make(environment | {"CDK_OUTDIR": str(made)})
    return assembly


def _make(environment: Mapping[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, str(paths.ROOT / "app.py")],
        cwd=paths.ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode != 0:
        raise OdysseyError(_reason(ran.stderr + ran.stdout), "Mend that and run it again.")


def stacks(assembly: Path) -> list[str]:
    """Return the names of the stacks in an assembly, in the order they depend on each other."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    found = {
        name: artifact.get("dependencies", [])
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    ordered: list[str] = []
    while len(ordered) < len(found):
        ordered += [
            name
            for name, needs in found.items()
            if name not in ordered and all(n in ordered for n in needs if n in found)
        ]
    return ordered


def notes(assembly: Path, names: Sequence[str]) -> list[str]:
    """Return what the app says to whoever deploys stacks of an assembly, such as prices."""
    said = []
    for name in names:
        file = assembly / f"{name}.metadata.json"
        for entries in json.loads(file.read_text(encoding="utf-8")).values():
            said += [
                str(entry["data"])
                for entry in entries
                if entry["type"] in ("aws:cdk:info", "aws:cdk:warning")
            ]
    return said


def bootstrap(target: Target) -> None:
    """Make the CDK's asset bucket and roles on the local cloud."""
    with tempfile.TemporaryDirectory() as empty:
        # In the project's folder the CLI would synthesize the app first.
        _run(target, ["bootstrap", f"aws://{ACCOUNT}/{REGION}"], cwd=empty)


def deploy(
    target: Target,
    assembly: Path,
    names: Sequence[str],
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Deploy stacks and those they depend on; all of them when `names` is empty."""
    _run(
        target,
        ["deploy", *(names or ["--all"]), "--require-approval", "never", "--progress", "events"],
        assembly=assembly,
        progress=progress,
    )


def destroy(
    target: Target,
    assembly: Path,
    names: Sequence[str],
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Destroy stacks and those that depend on them; all of them when `names` is empty."""
    _run(
        target,
        ["destroy", *(names or ["--all"]), "--force", "--progress", "events"],
        assembly=assembly,
        progress=progress,
    )


def _run(
    target: Target,
    arguments: Sequence[str],
    *,
    assembly: Path | None = None,
    cwd: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    command = ["node", str(paths.CDK_CLI), *arguments, "--no-notices", "--no-color"]
    if assembly is not None:
        command += ["--app", str(assembly)]
    environment = target.environment | _QUIET
    environment["PATH"] = f"{paths.VENV / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    lines: list[str] = []
    process = subprocess.Popen(
        command, cwd=cwd or str(target.state), env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            event = _EVENT.match(line)
            if event and progress:
                progress(event["stack"], int(event["done"]), int(event["all"]))
        failed = process.wait() != 0
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if failed:
        raise OdysseyError(
            f"cdk {arguments[0]} failed:\n{_reason(chr(10).join(lines))}",
            "The lines above are the CDK's own; mend what they name and run it again.",
        )


def _reason(output: str) -> str:
    """Return the part of a tool's output that says what went wrong."""
    lines = [line for line in output.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith(("odyssey_constructs.", "ValueError:"))]
    if own:
        return own[-1].partition(": ")[2]
    findings = [f"{found[2]}: {found[1]}" for found in _FINDING.finditer(output)]
    if findings:
        return "\n".join(dict.fromkeys(findings))
    failures = [line for line in lines if "❌" in line or "FAILED" in line or "rror:" in line]
    return "\n".join(failures[-12:] or lines[-12:])
