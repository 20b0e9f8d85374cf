"""The word counter with the third subscriber that its page shows."""

from __future__ import annotations

import re
from typing import Any

from odyssey_cli import paths

_STATEMENT = re.compile(r"```python\n(.*?)```", re.DOTALL)
_BEFORE = "counted.subscribe(logger"


def stack_class() -> Any:
    """Return PubSub with the page's statement after the logger's subscription."""
    page = (paths.ROOT / "docs" / "pubsub.md").read_text(encoding="utf-8")
    [statement] = _STATEMENT.findall(page)
    source = (paths.ROOT / "stacks" / "pubsub.py").read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    [at] = [number for number, line in enumerate(lines) if _BEFORE in line]
    lines[at + 1 : at + 1] = [f"        {line}\n" for line in statement.splitlines()]
    [imports] = [number for number, line in enumerate(lines) if line.startswith("from aws_cdk")]
    lines.insert(imports, "from aws_cdk import aws_sns as sns\n")
    module: dict[str, Any] = {"__name__": "stacks.pubsub_with_third_subscriber"}
    exec(compile("".join(lines), "pubsub.py", "exec"), module)  # noqa: S102 - our own page
    return module["PubSub"]
