"""The life of the demo city beside a running server: the fleet and the residents, until a signal comes."""

import asyncio
import logging
import signal

from ulid import ULID

from crew_client.fleet import Fleet, Member
from dispatch.demo.city import generate_city
from dispatch.demo.population import Population
from dispatch.demo.residents import Residents
from dispatch.demo.story import narrate
from dispatch.demo.watch import CityWatch


def live(url: str, people: Population, *, reports_per_hour: float, speed: float) -> int:
    """Let the people of the demo city live against the server at `url` until SIGTERM or SIGINT."""
    return asyncio.run(_live(url, people, reports_per_hour=reports_per_hour, speed=speed))


async def _live(url: str, people: Population, *, reports_per_hour: float, speed: float) -> int:
    # Simulated phones lose their signal all day; that is no news on the operator's terminal.
    logging.getLogger("crew_client").setLevel(logging.WARNING)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    residents = Residents(
        f"{url}/api/v1",
        people.intake,
        city=generate_city(people.seed),
        seed=people.seed,
        run=str(ULID()),
        reports_per_hour=reports_per_hour,
        speed=speed,
    )
    watch = CityWatch(url, people.monitor, on_resolved=residents.hear_resolved)
    members = [Member(worker.crew, worker.token, worker.lon, worker.lat) for worker in people.crews]
    fleet = Fleet(url, members, seed=people.seed, speed=speed, start_over_s=1.0)
    lives: list[asyncio.Task[None]] = [
        asyncio.create_task(work, name=name)
        for name, work in (
            ("watch", watch.run()),
            ("fleet", fleet.run()),
            ("residents", residents.run()),
            ("story", narrate(watch)),
        )
    ]
    stopping = asyncio.create_task(stop.wait())
    # The fleet ends by itself only where the server has given up every crew; the others never do.
    done, _ = await asyncio.wait({stopping, *lives}, return_when=asyncio.FIRST_COMPLETED)
    for task in lives:
        task.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    stopping.cancel()
    for task in lives:
        if task in done and (error := task.exception()) is not None:
            raise error
    return 0 if stop.is_set() else 1
