"""Settings from a file `.env` in the current folder; what is set in the environment wins."""

from __future__ import annotations

import io
import os
from pathlib import Path

from odyssey_cli.errors import OdysseyError


def load(prefix: str) -> None:
    """Take over the settings whose names begin with `prefix` and that are not set already.

    All others belong to other programs, or would choose an account or an endpoint, which a file
    in a folder that somebody cloned must not.

    Raises:
        OdysseyError: the file cannot be read.
    """
    file = Path(".env")
    if not file.is_file():
        return
    from dotenv import dotenv_values  # noqa: PLC0415 - most folders have none

    try:
        # Ours are ASCII; how other programs write theirs is none of our business.
        text = file.read_bytes().decode("utf-8", errors="replace")
        for name, value in dotenv_values(stream=io.StringIO(text), interpolate=False).items():
            if name.startswith(prefix) and value is not None:
                os.environ.setdefault(name, value)
    except (OSError, ValueError) as error:
        raise OdysseyError(f".env cannot be read: {error}.", "Mend it, or move it away.") from error
