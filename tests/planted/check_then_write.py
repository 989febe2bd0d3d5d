"""A grab is written on what memory showed, without the condition that it is still so.

Breaks promise 1: an engine whose memory is behind gives an order to a second crew, or takes it back from the crew to
which a dispatcher gave it (promise 4).
"""

from dispatch.store.memory import city
from dispatch.store.tx import GRABS

_CONDITION = "AND o.version = n.version AND o.state = 'offered'"


def plant() -> None:
    """Put the bug back."""
    assert _CONDITION in GRABS["settle"]
    GRABS["settle"] = GRABS["settle"].replace(_CONDITION, "")
    city._fits = lambda order, crew, version, revision: crew.on_shift and crew.load < crew.capacity
