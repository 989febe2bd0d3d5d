"""The tables of one city as dicts of immutable rows, and how a transaction takes back what it wrote."""

from datetime import datetime
from typing import Any, Final, TypeVar

from msgspec import Struct

from dispatch.clocks import alarm_at
from dispatch.crews import Crew
from dispatch.events import Logged
from dispatch.orders import Order

K = TypeVar("K")
V = TypeVar("V")

_ABSENT: Final = object()


class OrderRow(Struct, frozen=True):
    """An order with its timers. Who grabs in mode `first` leaves them as they are, so they may be early, never late."""

    order: Order
    alarm_at: datetime | None
    offer_due_at: datetime | None
    assign_at: datetime | None
    description: str | None = None
    contact: Any = None

    @classmethod
    def of(cls, order: Order, *, description: str | None = None, contact: Any = None) -> "OrderRow":
        """Return the row of an order as it is written with it."""
        offer = order.offer
        return cls(
            order,
            alarm_at(order.clocks),
            offer.due_at if offer else None,
            offer.assign_at if offer else None,
            description,
            contact,
        )


class Round(Struct, frozen=True):
    """Who was offered an order when its circle grew."""

    ring: int
    at: datetime
    crews: tuple[str, ...]
    eta_s: tuple[float | None, ...]
    distance_m: tuple[float | None, ...]


class KeptGrab(Struct, frozen=True):
    """A grab as its row has it; `reason` None while its sealed window is open."""

    crew: str
    message: str
    order: str
    cycle: int
    at: datetime
    eta_s: float | None
    distance_m: float | None
    reason: str | None


class Tables:
    """The rows of one city, by primary key, with the indexes that the steps' questions need.

    Write with `put` and `drop` alone: they note what was there before, until `keep` or `take_back`.
    """

    def __init__(self) -> None:
        self.orders: dict[str, OrderRow] = {}
        self.crews: dict[str, Crew] = {}
        self.fixes: dict[str, tuple[dict[str, Any], ...]] = {}
        self.grabs: dict[tuple[str, str], KeptGrab] = {}
        self.grabs_of: dict[tuple[str, int], tuple[tuple[str, str], ...]] = {}
        self.commands: dict[tuple[str, str], dict[str, Any]] = {}
        self.declined: dict[tuple[str, int], tuple[str, ...]] = {}
        self.rounds: dict[tuple[str, int], tuple[Round, ...]] = {}
        self.cycles_offered: dict[tuple[str, str], tuple[int, ...]] = {}
        self.alarms: dict[tuple[str, str, datetime, str], datetime] = {}
        self.reports: dict[str, dict[str, Any]] = {}
        self.externals: dict[tuple[str, str], str] = {}
        self.overrides: dict[str, dict[str, Any]] = {}
        self.ratings: dict[tuple[str, datetime], dict[str, Any]] = {}
        self.events: list[Logged] = []
        self.last_seq = 0
        self._before: list[tuple[dict[Any, Any], Any, Any]] = []

    def put(self, table: dict[K, V], key: K, row: V) -> None:
        """Write a row."""
        self._before.append((table, key, table.get(key, _ABSENT)))
        table[key] = row

    def drop(self, table: dict[K, V], key: K) -> None:
        """Delete a row; one that is not there stays away."""
        if key in table:
            self._before.append((table, key, table.pop(key)))

    def keep(self) -> set[str]:
        """Keep what was written; return the ids of the orders that it touched."""
        touched = {key for table, key, _ in self._before if table is self.orders}
        self._before.clear()
        return touched

    def take_back(self) -> None:
        """Put every row back as it was."""
        while self._before:
            table, key, row = self._before.pop()
            if row is _ABSENT:
                del table[key]
            else:
                table[key] = row

    def due(self, column: str, now: datetime) -> list[str]:
        """Return the orders whose `alarm_at`, `offer_due_at` or `assign_at` has come, the earliest first."""
        waiting = ((getattr(row, column), order_id) for order_id, row in self.orders.items())
        return [order_id for _, order_id in sorted(entry for entry in waiting if entry[0] and entry[0] <= now)]
