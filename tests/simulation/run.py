"""Many seeds over some processes, and one seed again: smaller, with its trace, and with the command that replays it."""

import gc
import importlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from time import perf_counter

import msgspec
from msgspec import Struct

from tests.simulation.script import Script, write
from tests.simulation.world import World

CHUNK = 100
TRACED = 80
"""The last lines of a trace that a report shows."""


class Failure(Struct, frozen=True):
    """A seed in which something was wrong, what it was first, and how many seeds had been lived through by then."""

    seed: int
    wrong: str
    after: int


class Lived(Struct, frozen=True):
    """What came of some seeds: how many went well, what was seen in them, and the seed that went wrong, if one did."""

    well: int
    seen: dict[str, int]
    wrong: tuple[int, str] | None = None


def live_through(seeds: Sequence[int]) -> Lived:
    """Live through seeds until one goes wrong."""
    gc.disable()  # a seed's garbage is collected between seeds, and what was there before is not looked at
    gc.freeze()
    seen: Counter[str] = Counter()
    try:
        for place, seed in enumerate(seeds):
            world = World(write(seed))
            wrong = world.run()
            seen += world.seen
            seen["unknown outcomes"] += world.server.unheard
            if wrong:
                return Lived(place, seen, (seed, wrong[0]))
            if place % 50 == 49:
                gc.collect()
    finally:
        gc.unfreeze()
        gc.enable()
    return Lived(len(seeds), seen)


def plant(name: str | None) -> None:
    """Put a known bug back in this process, for good."""
    if name is not None:
        importlib.import_module(f"tests.planted.{name}").plant()


def many(
    first: int,
    seeds: int,
    *,
    jobs: int = 1,
    planted: str | None = None,
    show: Callable[[str], None] = lambda text: None,
) -> Failure | None:
    """Live through seeds until one goes wrong, in `jobs` processes; `planted` names a bug that is put back in each."""
    begun, well, shown = perf_counter(), 0, 0.0
    seen: Counter[str] = Counter()
    for lived in _all(range(first, first + seeds), jobs, planted):
        took = perf_counter() - begun
        well += lived.well
        seen += Counter(lived.seen)
        if lived.wrong is not None:
            show(f"wrong in seed {lived.wrong[0]}, after {well + 1} seeds and {took:.0f} s")
            return Failure(*lived.wrong, well + 1)
        if took - shown > 10:
            shown = took
            show(f"{well} of {seeds} seeds, {well / took:.0f} a second")
    counted = ", ".join(f"{count} {name}" for name, count in sorted(seen.items()))
    show(f"{well} seeds in {perf_counter() - begun:.0f} s, nothing wrong: {counted}")
    return None


def _all(seeds: range, jobs: int, planted: str | None) -> Iterator[Lived]:
    """Yield what came of chunk after chunk."""
    chunks = (seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK))
    if jobs == 1:
        plant(planted)
        yield from map(live_through, chunks)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=plant, initargs=(planted,))
    running: set[Future[Lived]] = set()
    try:
        while True:
            running |= {pool.submit(live_through, chunk) for chunk in islice(chunks, 2 * jobs - len(running))}
            if not running:
                return
            over, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in over)
    finally:
        pool.shutdown(cancel_futures=True)


def live(script: Script, keep: Sequence[int] | None = None) -> World:
    """Live through a script, or through these of its actions alone, and keep its trace."""
    if keep is not None:
        script = msgspec.structs.replace(script, actions=tuple(script.actions[place] for place in keep))
    world = World(script, tracing=True)
    world.run()
    return world


def kind_of(wrong: str) -> str:
    """Return what is wrong without its numbers: two seeds of one kind have one cause, mostly."""
    return re.sub(r"\d+", "#", wrong.split("\n")[0])[:60]


def shrink(seed: int) -> tuple[int, ...]:
    """Return the places of the actions without any of which the seed would not go wrong in the same way."""
    script = write(seed)
    keep = tuple(range(len(script.actions)))
    wanted = kind_of(live(script, keep).violations[0])
    size = max(len(keep) // 2, 1)
    while True:
        at = 0
        while at < len(keep):
            fewer = keep[:at] + keep[at + size :]
            wrong = live(script, fewer).violations
            if wrong and kind_of(wrong[0]) == wanted:
                keep = fewer
            else:
                at += size
        if size == 1:
            return keep
        size = max(size // 2, 1)


def replay(seed: int, keep: Sequence[int] | None, *, show: Callable[[str], None]) -> list[str]:
    """Live through a seed, show its trace, and return what was wrong."""
    world = live(write(seed), keep)
    for line in trace(world):
        show(line)
    show(f"seed {seed}: " + (world.violations[0] if world.violations else "nothing wrong"))
    return world.violations


def trace(world: World) -> list[str]:
    """Return what happened, a line each: virtual seconds, who, what."""
    return [f"{at:8.3f}  {' '.join(map(_short, words))}" for at, words in world.lines or ()]


def _short(word: object) -> str:
    """Return a word of the trace; of an order what decides."""
    order = word.get("order") if isinstance(word, dict) else None
    if not isinstance(word, dict) or not isinstance(order, dict):
        return str(word)
    left_out = {"order", "seq", "type", "closes_at", "device_at", "cycle", "decision", "evidence"}
    rest = {name: value for name, value in word.items() if name not in left_out}
    told = (
        f"{order['id']} version {order['version']} {order['state']} of {order['crew']} cycle {word.get('cycle', '-')}"
    )
    return f"[{told}] {rest or ''}"


def report(failure: Failure, *, planted: str | None = None) -> str:
    """Return what a person needs to mend it: seed, trace of the smallest script that goes wrong, and the command.

    A seed is the same every time, so one that goes well when it is lived through again was disturbed from outside.
    """
    if not live(write(failure.seed)).violations:
        return f"Seed {failure.seed} went wrong once, and not again (a time limit, or a signal?): {failure.wrong}"
    keep = shrink(failure.seed)
    world = live(write(failure.seed), keep)
    command = f"python -m tests.simulation {failure.seed} --keep {','.join(map(str, keep))}"
    return "\n".join(
        (
            f"Seed {failure.seed} goes wrong: {failure.wrong}",
            f"{len(keep)} of its {len(write(failure.seed).actions)} actions are enough for it:",
            *trace(world)[-TRACED:],
            "The whole of it again: " + command + (f" --planted {planted}" if planted else ""),
        )
    )
