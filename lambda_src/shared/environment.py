"""A function's environment, read into a typed object that fails readably."""

from __future__ import annotations

import os


class MissingVariable(RuntimeError):  # noqa: N818 - reads as the statement it is
    """The stack did not give the function a variable it needs."""


def required(name: str) -> str:
    """Return the variable `name`.

    Raises:
        MissingVariable: it is absent or empty.
    """
    value = os.environ.get(name)
    if not value:
        raise MissingVariable(f"The environment variable {name} is not set; see the stack.")
    return value
