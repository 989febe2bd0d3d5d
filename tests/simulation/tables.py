"""What a transaction sees: the committed rows, and over them its own."""

from typing import Any

from dispatch.store.memory import Tables

_OWN = object()


class Committed(Tables):
    """The rows of a city as they are committed; `keys` are those of requests, which the store in memory has not."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[tuple[str, str], dict[str, Any]] = {}


class _Overlay(dict[Any, Any]):
    """A table of a transaction: its own rows, and below them those that are committed by now."""

    def __init__(self, below: dict[Any, Any]) -> None:
        self.below = below

    def __missing__(self, key: Any) -> Any:
        return self.below[key]

    def get(self, key: Any, default: Any = None) -> Any:
        own = dict.get(self, key, _OWN)
        return self.below.get(key, default) if own is _OWN else own

    def __contains__(self, key: Any) -> bool:
        return dict.__contains__(self, key) or key in self.below

    def items(self) -> Any:
        return (self.below | self).items()

    def values(self) -> Any:
        return (self.below | self).values()


class Uncommitted(Tables):
    """The tables as a running transaction sees them: each statement anew, and what it wrote itself (read committed)."""

    keys: dict[tuple[str, str], dict[str, Any]]

    def __init__(self, committed: Committed) -> None:
        self.committed = committed
        self.events = []
        self.last_seq = committed.last_seq

    def __getattr__(self, name: str) -> Any:
        """Begin a table's own rows as the first is asked for."""
        table = _Overlay(getattr(self.committed, name))
        self.__dict__[name] = table
        return table

    def own(self, name: str) -> Any:
        """Return the rows that this transaction wrote."""
        return self.__dict__.get(name, {})

    def put(self, table: dict[Any, Any], key: Any, row: Any) -> None:
        table[key] = row

    def drop(self, table: dict[Any, Any], key: Any) -> None:
        raise AssertionError("no step deletes rows: say here how, before one does")

    def commit(self) -> None:
        """Make the own rows everybody's."""
        for table in self.__dict__.values():
            if isinstance(table, _Overlay) and len(table):
                dict.update(table.below, table)
        if self.events:
            self.committed.events += self.events
            self.committed.last_seq = self.last_seq
