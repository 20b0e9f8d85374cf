"""One unpacked copy of a function's code for all of its execution environments.

MiniStack unpacks the archive for every environment that it starts: four hundred files each time,
which Python then compiles again, and which must be deleted when the cloud ends. On AWS the code
lies in `/var/task`, which functions can only read, so that it makes no difference to them whether
others use the same copy.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (`LAMBDA_TASK_ROOT`)
read 2026-11-21.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any

from local_cloud.ground import Hook

if TYPE_CHECKING:
    import os
    from types import ModuleType

# The module's own name for the standard library's; it also catches two of its exceptions.
_ZIPFILE = Hook("ministack.core.lambda_runtime", "zipfile")
HOOKS = (_ZIPFILE,)

# The folder of an environment's code, beside those of its layers.
_CODE = "code"

_unpacking = threading.Lock()


def install() -> None:
    """Let the archive of a function be unpacked once."""

    def make(original: ModuleType) -> SimpleNamespace:
        return SimpleNamespace(**vars(original) | {"ZipFile": Archive})

    _ZIPFILE.replace(make)


class Archive(zipfile.ZipFile):
    """An archive whose `code` folder is a link to the one copy of its content."""

    def extractall(
        self,
        path: str | os.PathLike[str] | None = None,
        members: Any = None,  # noqa: ANN401 - as the standard library has it
        pwd: bytes | None = None,
    ) -> None:
        """Unpack into `path`, an empty folder; its name decides whether it is a link."""
        target = Path(path or ".")
        if target.name != _CODE or members is not None or self.filename is None:
            super().extractall(path, members, pwd)
            return
        with Path(self.filename).open("rb") as file:
            shared = Path(tempfile.gettempdir()) / f"code-{_digest(file)}"
        with _unpacking:
            if not shared.exists():
                being_made = Path(tempfile.mkdtemp(prefix="code-"))
                super().extractall(being_made)
                being_made.rename(shared)
        target.rmdir()
        target.symlink_to(shared, target_is_directory=True)


def _digest(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
