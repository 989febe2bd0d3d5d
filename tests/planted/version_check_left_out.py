"""An override does not look at the version that the dispatcher saw.

Breaks the contract of overrides: a `version` that is no longer current gets 409. A dispatcher takes back what another
has just decided, and neither knows.
"""

from typing import Any

import msgspec

from dispatch import overrides
from dispatch.http import orders as routes
from dispatch.orders import Order
from dispatch.overrides import OverrideIn
from dispatch.store import Tx


def plant() -> None:
    """Put the bug back."""
    override = overrides.override

    async def whatever_he_saw(tx: Tx, order_id: str, word: OverrideIn, **rest: Any) -> Order:
        return await override(tx, order_id, msgspec.structs.replace(word, version=None), **rest)

    overrides.override = whatever_he_saw
    routes.override = whatever_he_saw  # type: ignore[attr-defined]
