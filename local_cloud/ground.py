"""What the extension stands on: one MiniStack version, and the names in it that are replaced.

MiniStack's internals are not an interface. An upgrade that moves one of them must stop the
start with a sentence, not run on as a cloud that quietly behaves unlike AWS.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PINNED = "1.5.33"


@dataclass(frozen=True)
class Hook:
    """A module global of MiniStack that a piece of the extension replaces or reads.

    Attributes:
        module: Dotted name of the module.
        name: The global's name; looked up again at each use inside MiniStack.
        parameters: For a function, the names of its parameters, in order.
    """

    module: str
    name: str
    parameters: tuple[str, ...] | None = None

    def replace(self, make: Callable[[Any], Any]) -> None:
        """Put `make(original)` in the global's place."""
        module = importlib.import_module(self.module)
        setattr(module, self.name, make(getattr(module, self.name)))


def find(hook: Hook) -> Any:  # noqa: ANN401 -- whatever MiniStack has there
    """Return what the hook names; raises ImportError or AttributeError when it is gone."""
    return getattr(importlib.import_module(hook.module), hook.name)


def problems(version: str, hooks: Iterable[Hook], find: Callable[[Hook], Any] = find) -> list[str]:
    """Say in sentences what keeps the extension from standing on this MiniStack.

    Args:
        version: The installed version.
        hooks: Every hook of every piece.
        find: How to look a hook up.
    """
    if version != PINNED:
        return [f"The local cloud is built on MiniStack {PINNED}, and {version} is installed."]
    said = []
    for hook in hooks:
        try:
            found = find(hook)
        except (ImportError, AttributeError):
            said.append(f"MiniStack {version} has no {hook.module}.{hook.name}.")
            continue
        if hook.parameters is not None:
            parameters = tuple(inspect.signature(found).parameters)
            if parameters != hook.parameters:
                said.append(
                    f"{hook.module}.{hook.name} of MiniStack {version} takes {parameters}, "
                    f"not {hook.parameters}."
                )
    return said
