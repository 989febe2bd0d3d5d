"""Many seeds over some processes, and one seed again: smaller, with its trace, and with the command that replays it."""

import gc
import importlib
import re
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


def first_wrong(seeds: Sequence[int]) -> tuple[int, str] | None:
    """Live through seeds until one goes wrong; return it and what was wrong."""
    gc.disable()  # a seed's garbage is collected between seeds, and what was there before is not looked at
    gc.freeze()
    try:
        for place, seed in enumerate(seeds):
            if wrong := World(write(seed)).run():
                return seed, wrong[0]
            if place % 20 == 19:
                gc.collect()
    finally:
        gc.unfreeze()
        gc.enable()
    return None


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
    begun, done, shown = perf_counter(), 0, 0.0
    for chunk, found in _all(range(first, first + seeds), jobs, planted):
        took = perf_counter() - begun
        if found is not None:
            done += chunk.index(found[0]) + 1
            show(f"wrong in seed {found[0]}, after {done} seeds and {took:.0f} s")
            return Failure(*found, done)
        done += len(chunk)
        if took - shown > 10:
            shown = took
            show(f"{done} of {seeds} seeds, {done / took:.0f} a second")
    show(f"{done} seeds in {perf_counter() - begun:.0f} s, nothing wrong")
    return None


def _all(seeds: range, jobs: int, planted: str | None) -> Iterator[tuple[range, tuple[int, str] | None]]:
    """Yield chunk after chunk with what was wrong in it."""
    chunks = (seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK))
    if jobs == 1:
        plant(planted)
        yield from ((chunk, first_wrong(chunk)) for chunk in chunks)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=plant, initargs=(planted,))
    running: dict[Future[tuple[int, str] | None], range] = {}
    try:
        while True:
            for chunk in islice(chunks, 2 * jobs - len(running)):
                running[pool.submit(first_wrong, chunk)] = chunk
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
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
    """Return what a person needs to mend it: seed, trace of the smallest script that goes wrong, and the command."""
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
