"""A round: start, warm up, let faults happen, heal, see that all has converged within ten seconds, audit.

Everything by chance comes from the seed and the number of the round, so a round can be had again; what the machine does
in between can not, so a violation may need more than one try.
"""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, process_time
from typing import Any

from msgspec import Struct, field

from dispatch.config import Settings
from dispatch.errors import Unavailable
from dispatch.store import Database
from tests.faults import check, faults
from tests.faults.books import Books
from tests.faults.history import History, now, read
from tests.faults.installation import Installation
from tests.faults.patience import Patience
from tests.faults.storm import Pace, Storm
from tests.town import Town

CONVERGE_S = 10.0
WARM_UP_S = 4.0
MOST_TOLD = 20
"""How many violations of one promise a round tells; a broken one does not hide the others."""


class Outcome(Struct):
    """What a round came to."""

    round: int
    seed: int
    faults: list[str]
    fault_s: float
    took_s: float = 0.0
    client_cpu_s: float = 0.0
    converged_s: float | None = None
    converged_wall_s: float | None = None
    acknowledged: dict[str, int] = field(default_factory=dict)
    events: int = 0
    claims: int = 0
    alarms: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    @property
    def operations(self) -> int:
        """How many operations were acknowledged."""
        return sum(self.acknowledged.values())


class Plan(Struct, frozen=True):
    """What a round is to be; `faults` None means a combination by chance, `planted` a known bug that is put in."""

    seed: int
    round: int
    fault_s: float
    faults: tuple[str, ...] | None = None
    planted: str | None = None
    converge_s: float = CONVERGE_S
    keep: bool = False
    """Whether to keep the history of a round in which nothing was broken."""
    paces: tuple[Pace, Pace] = (Pace(mode="first"), Pace(mode="sealed"))

    def rng(self, purpose: str) -> random.Random:
        """Return a source of chance of its own for each purpose."""
        return random.Random(f"{self.seed}/{self.round}/{purpose}")


async def run_round(plan: Plan, out: Path) -> Outcome:
    """Run one round in a folder of its own, which is kept where something was broken; the history is kept there."""
    begun, cpu = monotonic(), process_time()
    chosen = list(plan.faults) if plan.faults is not None else faults.choose(plan.rng("faults"))
    outcome = Outcome(plan.round, plan.seed, chosen, plan.fault_s)
    folder = out / f"round-{plan.round}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    history = History(folder / "history.jsonl")
    installation = Installation(
        folder / "installation",
        plan.rng("proxies"),
        planted=plan.planted,
        small_disk=faults.NEEDS_SMALL_DISK in chosen,
    )
    await installation.start()
    storm = Storm(installation, history, plan.rng("people").getrandbits(32), paces=plan.paces)
    try:
        await storm.settle_in()
        storm.begin()
        await storm.online(within_s=20)
        await asyncio.sleep(WARM_UP_S)
        await _let_happen(storm, plan, chosen)
        await _heal_and_audit(storm, outcome, plan.converge_s)
    except Exception as error:
        parts = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
        outcome.violations += [f"liveness: {part or repr(part)}" for part in parts]
    finally:
        outcome.acknowledged, outcome.counts = dict(storm.answered), dict(storm.counts)
        await _put_away(storm, outcome)
    history.close()
    await _judge(history, outcome)
    outcome.violations += _tracebacks(folder / "installation")
    outcome.client_cpu_s = round(process_time() - cpu, 1)
    outcome.took_s = round(monotonic() - begun, 1)
    shutil.rmtree(folder / "installation" / "database", ignore_errors=True)
    if not outcome.violations and not plan.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


async def _put_away(storm: Storm, outcome: Outcome) -> None:
    try:
        await storm.end()
    except Exception as error:
        outcome.violations.append(f"harness: {error!r}")
    with suppress(Exception):
        await storm.installation.heal()
    status = await storm.installation.stop()
    if status != 0:
        outcome.violations.append(f"liveness: qiangdan serve ended with {status}")


async def _let_happen(storm: Storm, plan: Plan, chosen: list[str]) -> None:
    until = monotonic() + plan.fault_s
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(plan.fault_s))
        for name in chosen:
            group.create_task(_one(faults.FAULTS[name], storm, plan.rng(name), until))


async def _one(fault: faults.Fault, storm: Storm, rng: random.Random, until: float) -> None:
    await fault(storm, rng, until)


async def _heal_and_audit(storm: Storm, outcome: Outcome, most_s: float) -> None:
    await storm.installation.heal()
    healed_at = now()
    db = Database(storm.installation.database_url, size=3)
    try:
        books = [Books(db, city.id, storm.history) for city in storm.cities]
        before = sum(storm.answered.values())
        patience = Patience(storm.installation.workers)
        late = await _wait(patience, most_s, lambda: _still_waiting(storm, healed_at, before))
        outcome.converged_s, outcome.converged_wall_s = round(patience.granted_s, 2), round(patience.wall_s, 2)
        if late:
            outcome.violations.append(f"liveness: not converged {most_s:g} s after the last fault: {late}")
        await _finish(storm, most_s)
        if late := await _wait(Patience(storm.installation.workers), most_s, lambda: _behind(storm, books)):
            outcome.violations.append(f"liveness: not told {most_s:g} s after the last command: {late}")
        for book in books:
            await book.close()
            outcome.events += book.mirror.seq if book.mirror else 0
            outcome.claims += book.claims
            outcome.alarms += book.alarms
            await _audit_state(db, book.city_id, outcome)
    finally:
        await db.close()


async def _finish(storm: Storm, most_s: float) -> None:
    """Let nobody begin anything, and have crews ask for some of their verdicts once more."""
    with suppress(TimeoutError):
        async with asyncio.timeout(4 * most_s):
            await storm.hush()
            await asyncio.gather(*(crew.ask_again(12) for crew in storm.crews))


async def _wait(patience: Patience, most_s: float, what: Callable[[], Awaitable[str]]) -> str:
    """Wait until nothing is missing any more, for as long as converging may take; return what still is."""
    while True:
        missing = await what()
        if patience.over(most_s) or not missing:
            return missing
        await asyncio.sleep(0.1)


async def _still_waiting(storm: Storm, healed_at: float, before: int) -> str:
    """Return what is not as it should be after faults are over: who is offline, what of before has no answer."""
    if not await storm.is_ready():
        return "no engine is ready"
    if offline := storm.offline():
        return f"{len(offline)} are not connected: {offline[:3]}"
    if waiting := {key: round(healed_at - asked, 1) for key, asked in storm.pending().items() if asked < healed_at}:
        return f"{len(waiting)} have no answer since: {dict(list(waiting.items())[:4])}"
    return "" if sum(storm.answered.values()) > before else "no work is done"


async def _behind(storm: Storm, books: list[Books]) -> str:
    """Return who has no answer, or has not heard everything that the logs say by now."""
    if waiting := list(storm.pending()):
        return f"{len(waiting)} have no answer: {waiting[:3]}"
    for book in books:
        with suppress(Unavailable):
            await book.read_on()
            if late := await book.late_alarms():
                return f"{late} alarms of {book.city_id} are late"
        behind = [
            recorder.client
            for city, recorder in storm.followers
            if city.id == book.city_id and recorder.seen < book.last_due.get(recorder.client, 0)
        ]
        if behind:
            return f"{len(behind)} are behind the log of {book.city_id}: {behind[:3]}"
    return ""


class TownAtOneMoment(Town):
    """A city seen through one snapshot, so that what its keepers do meanwhile does not show."""

    def __init__(self, db: Database, city_id: str, conn: Any) -> None:
        super().__init__(db, city_id, Settings())
        self._conn = conn

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        """Rows of the snapshot; $1 is the city."""
        return list(await self._conn.fetch(sql, self.id, *values))


async def _audit_state(db: Database, city_id: str, outcome: Outcome) -> None:
    async with db.snapshot() as conn:
        try:
            await TownAtOneMoment(db, city_id, conn).audit()
        except AssertionError as error:
            outcome.violations.append(f"state of {city_id}: {error}")


async def _judge(history: History, outcome: Outcome) -> None:
    found = await asyncio.to_thread(lambda: check.check(read(history.file)))
    told: Counter[str] = Counter()
    for each in found:
        told[each.promise] += 1
        if told[each.promise] <= MOST_TOLD:
            outcome.violations.append(f"{each.promise} in {each.city}: {each.text}")


def _tracebacks(folder: Path) -> list[str]:
    """Return what processes have logged with a traceback: nobody foresaw it."""
    found = []
    for log in sorted(folder.glob("*.log")):
        for line in log.read_text().splitlines():
            if "Traceback" in line or ('"level":"error"' in line and '"exc_type"' in line):
                found.append(f"log: {line[:600]}")
    return found[:10]
