"""The faults: each a coroutine that goes on until its time is over and leaves nothing behind, each by its own seed.

`FAULTS` names them; a round takes some at random and lets them happen together.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from time import monotonic

import asyncpg

from tests.faults.patience import Patience
from tests.faults.proxy import Toxics
from tests.faults.storm import Storm

Fault = Callable[[Storm, random.Random, float], Awaitable[None]]
GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, asyncio.IncompleteReadError)
FAULTS: dict[str, Fault] = {}
DOWN_S = 2.0
NOTICED_S = 10.0
WRITES = (
    """INSERT INTO sign_in_code (code_hash, city_id, crew_id, issued_by, issued_at, expires_at)
       VALUES (gen_random_uuid()::text::bytea, 'default', 'x', 'x', now(), now())""",
    "SELECT FROM crew ORDER BY random() LIMIT 3 FOR UPDATE SKIP LOCKED",
    "SELECT FROM orders WHERE open ORDER BY random() LIMIT 5 FOR UPDATE SKIP LOCKED",
)
"""What a transaction that is left open has done: a row that is nobody's, some crews, some orders."""
END_OURS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'qiangdan%'"


def fault(function: Fault) -> Fault:
    """Add a fault under its function's name."""
    FAULTS[function.__name__] = function
    return function


async def _pause(until: float, seconds: float) -> bool:
    """Wait; return whether there is time left for more."""
    await asyncio.sleep(max(0.0, min(seconds, until - monotonic())))
    return monotonic() < until


# Processes


@fault
async def kill_engines(storm: Storm, rng: random.Random, until: float) -> None:
    """SIGKILL an engine every few seconds."""
    while await _pause(until, rng.uniform(2, 7)):
        if monotonic() > storm.calm_until:
            await _kill(storm, rng, "engine")


@fault
async def kill_keepers(storm: Storm, rng: random.Random, until: float) -> None:
    """SIGKILL the planner, its solver or a clock-keeper every few seconds."""
    while await _pause(until, rng.uniform(3, 10)):
        await _kill(storm, rng, rng.choice(["planner", "solver", "clocks"]))


async def _kill(storm: Storm, rng: random.Random, role: str) -> None:
    pids = storm.installation.processes(role)
    if pids and storm.installation.kill(rng.choice(pids)):
        storm.count(f"killed: {role}")


@fault
async def kill_supervisor(storm: Storm, rng: random.Random, until: float) -> None:
    """SIGKILL `qiangdan serve`; an operator starts it again."""
    while await _pause(until, rng.uniform(15, 40)):
        if until - monotonic() < 5:
            return
        await storm.installation.kill_supervisor()
        storm.count("killed: supervisor")


@fault
async def freeze_processes(storm: Storm, rng: random.Random, until: float) -> None:
    """SIGSTOP any process, SIGCONT it later: engine, planner, solver, keeper, supervisor, a backend of PostgreSQL."""
    while await _pause(until, rng.uniform(0.5, 3)):
        role = rng.choice(["engine", "engine", "planner", "solver", "clocks", "supervisor", "backend", "backend"])
        pids = storm.installation.processes(role)
        if pids:
            storm.count(f"frozen: {role}")
            await storm.installation.freeze(rng.choice(pids), rng.uniform(0.3, 5))


@fault
async def two_lease_holders(storm: Storm, rng: random.Random, until: float) -> None:
    """Stop a clock-keeper until the other leads, then let it go on where it was; or take the lease from whoever has it.

    Either way, until the next renewal, two keepers do the work of one.
    """
    while await _pause(until, rng.uniform(0.5, 3)):
        if rng.random() < 0.5 and (keepers := storm.installation.processes("clocks")):
            await storm.installation.freeze(rng.choice(keepers), min(rng.uniform(3.5, 6), max(until - monotonic(), 0)))
            storm.count("keepers stopped until the lease passed on")
            continue
        with suppress(*GONE):
            connection = await storm.installation.connect()
            try:
                await connection.execute("UPDATE lease SET holder = 'nobody', expires_at = now() WHERE role = 'clocks'")
                storm.count("leases taken away")
            finally:
                await connection.close()


@fault
async def wrong_process_clocks(storm: Storm, rng: random.Random, until: float) -> None:
    """Let an engine come back on a machine whose clock is ten minutes wrong."""
    while await _pause(until, rng.uniform(3, 8)):
        storm.installation.set_clocks({name: rng.choice([-600.0, 600.0]) for name in ("engine-1", "engine-2")})
        await _kill(storm, rng, "engine")
        storm.count("engines with a wrong clock")


# PostgreSQL


async def crash_postgres_twice(storm: Storm, rng: random.Random, until: float) -> None:
    """Stop PostgreSQL as in a crash after a third and after two thirds of the time, and see that both are noticed."""
    third = (until - monotonic()) / 3
    for _ in range(2):
        await asyncio.sleep(third)
        storm.calm_until = monotonic() + DOWN_S + 3
        storm.installation.crash_postgres(DOWN_S)
        storm.count("postgres crashed")
        await _see(storm, ready=False, what="ready without a database")
        await asyncio.sleep(DOWN_S)
        await _see(storm, ready=True, what="not ready though the database is back")


async def _see(storm: Storm, *, ready: bool, what: str) -> None:
    patience = Patience(storm.installation.workers)
    while await storm.is_ready() is not ready:
        assert not patience.over(NOTICED_S), f"{what} for {patience.granted_s:.1f} s"
        await asyncio.sleep(0.05)


@fault
async def crash_postgres(storm: Storm, rng: random.Random, until: float) -> None:
    """Stop PostgreSQL as in a crash, for up to some seconds."""
    while await _pause(until, rng.uniform(4, 15)):
        storm.installation.crash_postgres(rng.uniform(0, 3))
        storm.count("postgres crashed")


@fault
async def kill_backends(storm: Storm, rng: random.Random, until: float) -> None:
    """SIGKILL a backend: PostgreSQL then ends all others and recovers by itself."""
    while await _pause(until, rng.uniform(4, 12)):
        await _kill(storm, rng, "backend")


@fault
async def terminate_backends(storm: Storm, rng: random.Random, until: float) -> None:
    """`pg_terminate_backend` on some connections, again and again."""
    while await _pause(until, rng.uniform(0.2, 1.5)):
        with suppress(*GONE):
            connection = await storm.installation.connect()
            try:
                ended = await connection.fetch(
                    """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE application_name LIKE 'qiangdan%' AND random() < $1""",
                    rng.choice([0.1, 0.3, 1.0]),
                )
                storm.counts["backends terminated"] += len(ended)
            finally:
                await connection.close()


@fault
async def cut_commits(storm: Storm, rng: random.Random, until: float) -> None:
    """Cut off the answers of commits, and connections before the commit: nobody can tell one from the other."""
    database = storm.installation.database
    try:
        while True:
            database.cut_commit, database.lose_commit = rng.choice([(0.02, 0.0), (0.1, 0.01), (0.0, 0.1), (0.1, 0.1)])
            if not await _pause(until, rng.uniform(1, 5)):
                break
            database.cut_commit = database.lose_commit = 0.0
            await _pause(until, rng.uniform(0.5, 3))
    finally:
        database.cut_commit = database.lose_commit = 0.0


@fault
async def freeze_listening(storm: Storm, rng: random.Random, until: float) -> None:
    """Freeze the links on which notifications come; their owners must notice."""
    while await _pause(until, rng.uniform(1, 4)):
        storm.installation.database.poison_listeners(Toxics(stalled=True))
        storm.count("listening links frozen")
        await _pause(until, rng.uniform(2, 12))
        storm.installation.database.poison_listeners(Toxics())


@fault
async def notifications_off(storm: Storm, rng: random.Random, until: float) -> None:
    """Keep every notification back: whoever needs one must look by himself."""
    storm.installation.database.deaf_to_notifications = True
    try:
        while await _pause(until, 5):
            pass
    finally:
        storm.installation.database.deaf_to_notifications = False


@fault
async def slow_database(storm: Storm, rng: random.Random, until: float) -> None:
    """Let some connections with PostgreSQL have latency, go silent, or come byte by byte."""
    kinds = [Toxics(latency_s=(0.02, 0.3)), Toxics(bytewise=True), Toxics(stalled=True), Toxics(hole=True)]
    await _hurt(storm.installation.database.poison, storm.installation.database.calm, kinds, storm, rng, until, 0.5)


@fault
async def leave_transactions_open(storm: Storm, rng: random.Random, until: float) -> None:
    """Leave a transaction open that has written elsewhere, or that holds rows of crews or orders."""
    while await _pause(until, rng.uniform(0.5, 3)):
        with suppress(*GONE):
            connection = await storm.installation.connect()
            try:
                async with connection.transaction():
                    await connection.execute(rng.choice(WRITES))
                    storm.count("transactions left open")
                    await _pause(until, rng.uniform(0.5, 4))
            finally:
                await connection.close()


@fault
async def use_connections_up(storm: Storm, rng: random.Random, until: float) -> None:
    """Take all connections that PostgreSQL has left, after ending those that are there."""
    while await _pause(until, rng.uniform(2, 6)):
        taken: list[asyncpg.Connection[asyncpg.Record]] = []
        try:
            with suppress(*GONE):
                while len(taken) < 250:
                    taken.append(await storm.installation.connect())
                    if len(taken) == 150:
                        await taken[0].execute(END_OURS)
            storm.count("connections used up")
            await _pause(until, rng.uniform(1, 4))
        finally:
            for connection in taken:
                connection.terminate()


@fault
async def fill_disk(storm: Storm, rng: random.Random, until: float) -> None:
    """Leave PostgreSQL no room on its disk."""
    while await _pause(until, rng.uniform(3, 8)):
        if not storm.installation.disk_can_fill:
            storm.count("disk not filled: needs root, for a small disk")
            return
        await asyncio.to_thread(storm.installation.fill_disk)
        storm.count("disk filled")
        try:
            await _pause(until, rng.uniform(1, 4))
        finally:
            storm.installation.free_disk()


# Clients and their network


async def _hurt(
    poison: Callable[[Toxics, float], None],
    calm: Callable[[], None],
    kinds: list[Toxics],
    storm: Storm,
    rng: random.Random,
    until: float,
    most: float,
    lasts_s: tuple[float, float] = (1, 6),
) -> None:
    try:
        while await _pause(until, rng.uniform(0.3, 2)):
            toxics = rng.choice(kinds)
            poison(toxics, rng.uniform(0.1, most))
            await _pause(until, rng.uniform(*lasts_s))
            calm()
    finally:
        calm()


def _of_clients(*kinds: Toxics, lasts_s: tuple[float, float] = (1, 6)) -> Fault:
    async def happen(storm: Storm, rng: random.Random, until: float) -> None:
        front = storm.installation.front
        await _hurt(front.poison, front.calm, list(kinds), storm, rng, until, 0.7, lasts_s)

    return happen


FAULTS["client_latency"] = _of_clients(Toxics(latency_s=(0.2, 2.0)))
FAULTS["client_bandwidth"] = _of_clients(Toxics(bits_per_s=16_000))
FAULTS["client_bytewise"] = _of_clients(Toxics(bytewise=True))
FAULTS["client_stalled"] = _of_clients(Toxics(stalled=True), Toxics(deaf=True))
FAULTS["client_half_open"] = _of_clients(Toxics(hole=True), lasts_s=(3, 20))


@fault
async def reset_clients(storm: Storm, rng: random.Random, until: float) -> None:
    """Reset connections again and again, and hang up on requests: handlers are cancelled wherever they are."""
    storm.hasty = 0.3
    try:
        while await _pause(until, rng.uniform(0.05, 1)):
            storm.counts["connections reset"] += storm.installation.front.reset_some(rng.choice([0.02, 0.1, 0.5]))
    finally:
        storm.hasty = 0.0


@fault
async def disorder_commands(storm: Storm, rng: random.Random, until: float) -> None:
    """Let commands go out twice, and be overtaken by later ones."""
    for crew in storm.crews:
        crew.mischief.twice, crew.mischief.overtaken = rng.choice([0.0, 0.3]), rng.choice([0.0, 0.3])
    try:
        while await _pause(until, 5):
            pass
    finally:
        for crew in storm.crews:
            crew.mischief.twice = crew.mischief.overtaken = 0.0


@fault
async def wrong_device_clocks(storm: Storm, rng: random.Random, until: float) -> None:
    """Let phones have clocks that are wrong by up to ten minutes."""
    try:
        while True:
            for crew in storm.crews:
                crew.skew = timedelta(seconds=rng.choice([0.0, rng.uniform(-600, 600)]))
            if not await _pause(until, rng.uniform(2, 10)):
                return
    finally:
        for crew in storm.crews:
            crew.skew = timedelta(0)


NEEDS_SMALL_DISK = "fill_disk"


def choose(rng: random.Random) -> list[str]:
    """Return the faults of a round: a few at random."""
    return sorted(rng.sample(sorted(FAULTS), rng.randint(3, 6)))
