"""SQL lives in files beside this one: named blocks, each with its purpose in the line that names it.

-- name: lock_orders: the rows of these orders, locked in a fixed order
SELECT ...
"""

import re
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\b.*$", re.MULTILINE)


def load(subject: str) -> dict[str, str]:
    """Return the blocks of `<subject>.sql` by name."""
    text = resources.files("dispatch.store").joinpath(f"{subject}.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    return {name: f"-- {subject}.{name}\n{block.strip()}" for name, block in zip(parts[1::2], parts[2::2], strict=True)}
