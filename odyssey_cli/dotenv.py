"""Settings from files `.env`; what is set in the environment wins.

Those of a command are in the current folder's file. Those that say where commands go on AWS are in
the project's own, so that no folder in which somebody works weakens them, and count only while git
does not track it: what comes with a clone chooses no account.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_cli import paths
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = ".env"
PROJECT = paths.ROOT / _FILE
_PLAIN = re.compile(r"[\w.@/+-]+", re.ASCII)


def values(prefix: str) -> dict[str, str]:
    """Return the current folder's settings whose names begin with `prefix`.

    All others belong to other programs, or would lead to another endpoint.

    Raises:
        OdysseyError: the file cannot be read.
    """
    return {name: it for name, it in _read(Path(_FILE)).items() if name.startswith(prefix)}


def of_project(*names: str) -> dict[str, str]:
    """Return those of the named settings that the project's own file has.

    Raises:
        OdysseyError: the file cannot be read, or is shared by git; or a file in the current folder
            says something else, on which somebody might rely.
    """
    found = {name: it for name, it in _read(PROJECT).items() if name in names}
    if found and _is_tracked():
        raise OdysseyError(
            f"git tracks {PROJECT}, and what comes with a clone must not choose a profile or an "
            "account.",
            f"Take {' and '.join(found)} out of it, or run git rm --cached {_FILE} in "
            f"{PROJECT.parent}.",
        )
    for name, value in _read(Path(_FILE)).items():
        if name in names and value and value != found.get(name):
            raise OdysseyError(
                f"{Path(_FILE).absolute()} sets {name} to {value}, but the file that counts is "
                f"{PROJECT}, which {'has another' if found.get(name) else 'has none'}.",
                f"Take {name} out of the first; ./odyssey account use PROFILE writes the second.",
            )
    return found


def _read(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - most folders have none

    try:
        # Ours are ASCII; how other programs write theirs is none of our business.
        text = file.read_bytes().decode("utf-8", errors="replace")
        found = dotenv_values(stream=io.StringIO(text), interpolate=False)
    except (OSError, ValueError) as error:
        raise _unreadable(error) from error
    return {name: value for name, value in found.items() if value is not None}


def load(prefix: str) -> None:
    """Take over the settings of `values(prefix)` that are not set already.

    Raises:
        OdysseyError: the file cannot be read, or a value cannot be a variable's.
    """
    for name, value in values(prefix).items():
        try:
            os.environ.setdefault(name, value)
        except ValueError as error:
            raise _unreadable(error) from error


def keep(settings: Mapping[str, str | None]) -> None:
    """Write settings into the project's file, take out those that are None; other lines stay.

    The file is replaced at once, so that whoever reads it sees the old one or the new one.

    Raises:
        OdysseyError: git would share the file, or it cannot be written.
    """
    if any(value is not None for value in settings.values()):
        _refuse_shared()
    # A link stays a link.
    file = PROJECT.resolve()
    try:
        text, mode = "", 0o600
        if file.exists():
            # What is not UTF-8 goes back as it came.
            text = file.read_bytes().decode("utf-8", errors="surrogateescape")
            mode = file.stat().st_mode & 0o777
        _replace(file, _with(text, settings).encode("utf-8", errors="surrogateescape"), mode)
    except OSError as error:
        raise OdysseyError(
            f"{PROJECT} cannot be written: {error}.", "Mend it, or move it away."
        ) from error


def _with(text: str, settings: Mapping[str, str | None]) -> str:
    """Return a file's text with `settings`, each where it stood, or at the end."""
    from dotenv.parser import parse_stream  # noqa: PLC0415

    missing = dict(settings)
    parts: list[str] = []
    # The parser, because a line of a quoted value can look like a setting.
    for binding in parse_stream(io.StringIO(text)):
        whole = binding.original.string
        if binding.key is None or binding.key not in settings:
            parts.append(whole)
            continue
        # Empty lines before a setting are part of its binding.
        parts.append(whole[: len(whole) - len(whole.lstrip())])
        # A second line of the same name would win, and so goes.
        value = missing.pop(binding.key, None)
        if value is not None:
            parts.append(f"{binding.key}={_quoted(value)}\n")
    if parts and parts[-1] and not parts[-1].endswith("\n"):
        parts.append("\n")
    parts += [f"{name}={_quoted(value)}\n" for name, value in missing.items() if value is not None]
    return "".join(parts)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _replace(file: Path, content: bytes, mode: int) -> None:
    """Replace a file by one with `content`, whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=".env.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as new:
            os.fchmod(new.fileno(), mode)
            new.write(content)
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _git(*arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Ask git about the project's file; None where there is no git, and nothing is committed."""
    # A hook's variables would have it speak of another repository.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        return subprocess.run(
            ["git", "-C", PROJECT.parent, *arguments, "--", _FILE],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None


def _is_tracked() -> bool:
    """Whether git tracks the project's file.

    Raises:
        OdysseyError: there is a repository, and git does not say.
    """
    asked = _git("ls-files", "--error-unmatch")
    if asked is None or asked.returncode == 1:
        return False
    if asked.returncode:
        _refuse_unsaid("tracks", asked)
    return asked.returncode == 0


def _refuse_shared() -> None:
    """Refuse a file that git tracks, or would add with everything else."""
    if _is_tracked():
        raise OdysseyError(
            f"git tracks {_FILE}, so an account of yours would be committed.",
            f"Run git rm --cached {_FILE} in {PROJECT.parent}, and add it to .gitignore.",
        )
    asked = _git("check-ignore", "--quiet")
    if asked is None or asked.returncode == 0:
        return
    if asked.returncode == 1:
        raise OdysseyError(
            f"git does not ignore {_FILE}, so an account of yours could be committed.",
            f"Add {_FILE} to {PROJECT.parent / '.gitignore'}.",
        )
    _refuse_unsaid("ignores", asked)


def _refuse_unsaid(does: str, asked: subprocess.CompletedProcess[str]) -> None:
    # 128 is what git says outside of a repository, and of one that it does not trust.
    if any((each / ".git").exists() for each in PROJECT.absolute().parents):
        raise OdysseyError(
            f"git does not say whether it {does} {_FILE}: {asked.stderr.strip()}",
            f"Mend that, or work without {_FILE}: AWS_PROFILE and ODYSSEY_ACCOUNT do the same.",
        )


def _unreadable(error: Exception) -> OdysseyError:
    return OdysseyError(f".env cannot be read: {error}.", "Mend it, or move it away.")
