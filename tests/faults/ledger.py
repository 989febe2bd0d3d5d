"""The totals of a run, kept in a file after every round; `python -m tests.faults.ledger FILE` prints them."""

import sys
from pathlib import Path

import msgspec
from msgspec import Struct, field

from tests.faults.rounds import Outcome


class Ledger(Struct):
    """The totals of a run so far."""

    seed: int
    fault_minutes: float = 0.0
    took_minutes: float = 0.0
    acknowledged: int = 0
    by_operation: dict[str, int] = field(default_factory=dict)
    events: int = 0
    claims: int = 0
    alarms: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    longest_converging_s: float = 0.0
    violations: list[str] = field(default_factory=list)
    rounds: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Add a round."""
        self.rounds.append(outcome)
        self.fault_minutes = round(self.fault_minutes + outcome.fault_s / 60, 2)
        self.took_minutes = round(self.took_minutes + outcome.took_s / 60, 2)
        self.acknowledged += outcome.operations
        self.events += outcome.events
        self.claims += outcome.claims
        self.alarms += outcome.alarms
        self.longest_converging_s = max(self.longest_converging_s, outcome.converged_s or 0.0)
        self.violations += outcome.violations
        for totals, more in (
            (self.by_operation, outcome.acknowledged),
            (self.faults, dict.fromkeys(outcome.faults, 1)),
            (self.counts, outcome.counts),
        ):
            for name, count in more.items():
                totals[name] = totals.get(name, 0) + count

    def write(self, file: Path) -> None:
        """Write the totals, whole or not at all."""
        fresh = file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
        fresh.replace(file)

    @classmethod
    def read(cls, file: Path) -> "Ledger":
        """Return the totals that a file holds."""
        return msgspec.json.decode(file.read_bytes(), type=cls)

    def table(self) -> str:
        """Return the totals as rows of a Markdown table."""

        def listed(counts: dict[str, int]) -> str:
            by_size = sorted(counts.items(), key=lambda item: -item[1])
            return ", ".join(f"{name} {count:,}" for name, count in by_size)

        unknown = sum(count for name, count in self.counts.items() if name.endswith(" unknown"))
        done = {name: count for name, count in self.counts.items() if not name.endswith((" ok", " unknown", " failed"))}
        rows = {
            "seed, rounds, fault minutes, minutes in all": (
                f"{self.seed}, {len(self.rounds)}, {self.fault_minutes:g}, {self.took_minutes:g}"
            ),
            "operations acknowledged": f"{self.acknowledged:,}",
            "of which": listed(self.by_operation),
            "operations whose outcome stayed unknown at first": f"{unknown:,}",
            "events in the logs, claims, breaches": f"{self.events:,}, {self.claims:,}, {self.alarms:,}",
            "rounds with each fault": listed(self.faults),
            "what was done": listed(done),
            "longest time to converge": f"{self.longest_converging_s:g} s",
            "violations": f"{len(self.violations)}",
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


if __name__ == "__main__":
    print(Ledger.read(Path(sys.argv[1])).table())
