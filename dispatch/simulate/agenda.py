"""What happens next, in virtual time: a queue of actions by moment, then rank, then the order in which they came."""

import heapq
from collections.abc import Callable
from datetime import datetime
from enum import IntEnum

Action = Callable[[], None]


class Rank(IntEnum):
    """In which order things of one moment happen: a crew that is done chooses among what is reported just then, too."""

    SHIFT = 0
    REPORT = 1
    WORK = 2
    CREW = 3
    WINDOW = 4
    RING = 5


class Agenda:
    """A queue of actions. `now` is the moment of the last one; nothing can be put before it."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._waiting: list[tuple[datetime, Rank, int, Action]] = []
        self._count = 0

    def put(self, at: datetime, rank: Rank, action: Action) -> None:
        """Let an action happen at a moment, at once where that is over."""
        self._count += 1
        heapq.heappush(self._waiting, (max(at, self.now), rank, self._count, action))

    def run(self, after_each: Action) -> None:
        """Do everything until nothing is left, and `after_each` moment that.

        So it sees all that a moment brings, whatever came first; what it puts at the same moment is done, and it is
        asked again.
        """
        while self._waiting:
            self.now = self._waiting[0][0]
            while self._waiting and self._waiting[0][0] == self.now:
                heapq.heappop(self._waiting)[-1]()
            after_each()
