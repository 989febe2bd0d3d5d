"""The command of the simulation.

`python -m tests.simulation 4711` lives through one seed and prints its trace; `--keep 0,3,7` leaves out all actions of
its script but these. `python -m tests.simulation --seeds 1000000 --jobs 2` lives through many and says what it found.
`--planted NAME` puts a known bug back first.
"""

import argparse
import sys

from tests.simulation.run import many, plant, replay, report


def main() -> int:
    """Run the command and return its exit status: 0 where nothing is wrong, 1 where something is."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, help="the seed to live through, with its trace")
    parser.add_argument("--keep", help="of the seed's actions only these, by place: 0,3,7")
    parser.add_argument("--seeds", type=int, help="how many seeds to live through")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="in how many processes")
    parser.add_argument("--planted", help="a module of tests.planted whose bug is put back first")
    given = parser.parse_args()
    if (given.seed is None) == (given.seeds is None):
        parser.error("give either a seed to replay or --seeds")
    if given.seed is not None:
        plant(given.planted)
        keep = None if given.keep is None else tuple(int(place) for place in given.keep.split(",") if place)
        return 1 if replay(given.seed, keep, show=print) else 0
    failure = many(
        given.first, given.seeds, jobs=given.jobs, planted=given.planted, show=lambda text: print(text, file=sys.stderr)
    )
    if failure is not None:
        if given.jobs > 1:
            plant(given.planted)
        print(report(failure, planted=given.planted))
    return 0 if failure is None else 1


if __name__ == "__main__":
    sys.exit(main())
