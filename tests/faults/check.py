"""Holds recorded histories to the promises: `python -m tests.faults.check FILE...`. Linear in the history, and pure.

What must hold, for every city:

    holders     an order has at most one holder at any version, and each cycle at most one winner
    kept        what was acknowledged is there, once; what failed is not; what is unknown is there at most once
    verdicts    the same key has the same answer, however often and wherever it is asked
    told        every client hears exactly what the log owes it from its welcome on, in order, under one epoch
    alarms      each deadline that passes alarms exactly once, and none that does not
    overrides   what a dispatcher has fixed or a crew has taken stays; each override is at the version that it names
    cities      nobody sees anything of another city

That each override has its row in the audit is a part of `kept`. Exit status 0 where all hold, 1 where one does not, 2
where a file cannot be read.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from tests.faults.hearing import Hearing
from tests.faults.history import Record, read
from tests.faults.promises import Acknowledged, Alarms, Check, Cities, Holders, Overrides, Verdicts, Violation

SHOWN = 50


def check(records: Iterable[Record]) -> list[Violation]:
    """Return every violation in a history."""
    checks: list[Check] = [Holders(), Acknowledged(), Verdicts(), Hearing(), Alarms(), Overrides(), Cities()]
    takers: dict[type, list[Callable[[Any], None]]] = defaultdict(list)
    for each in checks:
        for kind, handler in each.handlers().items():
            takers[kind].append(handler)
    for record in records:
        for take in takers[type(record)]:
            take(record)
    return list(chain.from_iterable(each.end() for each in checks))


def main(arguments: list[str]) -> int:
    """Check each file by itself and print what is broken."""
    status = 0
    for name in arguments:
        begun = perf_counter()
        counts: Counter[str] = Counter()
        try:
            violations = check(_counted(Path(name), counts))
        except (OSError, msgspec.MsgspecError) as error:
            sys.stderr.write(f"{name} cannot be read: {error}\n")
            return 2
        sizes = f"{counts.total()} records ({counts['Op']} operations) in {perf_counter() - begun:.1f} s"
        print(f"{name}: {sizes}, {len(violations)} violations")
        for violation in violations[:SHOWN]:
            print(f"  {violation.promise} in {violation.city}: {violation.text}")
        status = 1 if violations else status
    return status


def _counted(file: Path, counts: Counter[str]) -> Iterator[Record]:
    for record in read(file):
        counts[type(record).__name__] += 1
        yield record


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
