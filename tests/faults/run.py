"""Round after round of combined faults: `python -m tests.faults.run --minutes N --seed S --out DIR`.

Prints a line per round, keeps the totals in DIR/ledger.json, and ends with 1 at the first violation; the history and
the logs of that round are kept. `--round K` does that round alone; `--operations M` goes on after the minutes are over
until so many were acknowledged, `--first K` goes on with the run in DIR at round K.
"""

import argparse
import importlib
import random
import sys
from pathlib import Path

import uvloop

from tests.faults import faults
from tests.faults.ledger import Ledger
from tests.faults.rounds import Plan, run_round


async def run(arguments: argparse.Namespace) -> int:
    """Go through rounds until there were enough minutes of faults, or one broke a promise."""
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(arguments.seed)
    if arguments.first > 1:
        for before in Ledger.read(out / "ledger.json").rounds:
            if before.seed == arguments.seed and before.round < arguments.first:
                ledger.add(before)
    numbers = [arguments.round] if arguments.round is not None else range(arguments.first, 100_000)
    for number in numbers:
        plan = Plan(
            seed=arguments.seed,
            round=number,
            fault_s=arguments.fault_s,
            faults=tuple(arguments.faults.split(",")) if arguments.faults else None,
            planted=arguments.planted,
            keep=arguments.keep,
        )
        outcome = await run_round(plan, out)
        ledger.add(outcome)
        ledger.write(out / "ledger.json")
        converged = f"{outcome.converged_s} s ({outcome.converged_wall_s} s by the wall)"
        print(
            f"round {number}: {', '.join(outcome.faults)}; {outcome.operations} operations in {outcome.took_s:.0f} s "
            f"({outcome.client_cpu_s:.0f} s of this process), "
            f"converged after {converged}; so far {ledger.acknowledged} in {ledger.fault_minutes:.1f} fault minutes, "
            f"{len(ledger.violations)} violations",
            flush=True,
        )
        if outcome.violations:
            print(*(f"  {each}" for each in outcome.violations[:30]), sep="\n")
            again = f"--seed {arguments.seed} --round {number} --fault-s {arguments.fault_s:g}"
            again += f" --faults {arguments.faults}" if arguments.faults else ""
            again += f" --planted {arguments.planted}" if arguments.planted else ""
            print(f"again: python -m tests.faults.run {again} --out {out}", flush=True)
            return 1
        if ledger.fault_minutes >= arguments.minutes and ledger.acknowledged >= arguments.operations:
            break
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="minutes of faults, warm-ups and audits not counted")
    parser.add_argument("--operations", type=int, default=0, help="go on until so many were acknowledged, too")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31))
    parser.add_argument("--out", type=Path, default=Path("storm-results"))
    parser.add_argument("--fault-s", type=float, default=150, help="seconds of faults in a round")
    parser.add_argument("--round", type=int, help="this round alone")
    parser.add_argument("--first", type=int, default=1, help="go on at this round, with the totals of those before it")
    parser.add_argument("--faults", help=f"these in each round, with commas; of {', '.join(sorted(faults.FAULTS))}")
    parser.add_argument("--planted", help="put a known bug in: a module of tests.planted")
    parser.add_argument("--keep", action="store_true", help="keep the histories of all rounds")
    arguments = parser.parse_args()
    if arguments.planted:  # here for what is a bug of the client, in the other processes by `sitecustomize`
        importlib.import_module(f"tests.planted.{arguments.planted}").plant()
    print(f"seed {arguments.seed}", flush=True)
    return uvloop.run(run(arguments))


if __name__ == "__main__":
    sys.exit(main())
