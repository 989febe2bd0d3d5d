"""Who works in the demo city: its accounts, made through the public API once and kept in the data folder.

DIR/demo.json (0600) holds ids and tokens, so that the next start finds its people. A set-up that was interrupted is
simply done again: every request carries an idempotency key, so that nobody is made twice.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from dispatch.demo.city import SKILLS, DemoCity, generate_city
from dispatch.operator_errors import OperatorError

DEFAULT_SEED = 1
Progress = Callable[[int, int], None]


class DemoRefused(OperatorError):
    """The data folder holds something that the demo shall not touch."""


class Worker(Struct, frozen=True):
    """A crew of the demo, and where it begins its day (WGS-84 degrees)."""

    crew: str
    token: str
    lon: float
    lat: float


class Population(Struct, frozen=True):
    """Everybody's ids and tokens; `technician` is the one left for whoever looks at the demo."""

    seed: int
    dispatcher: str
    monitor: str
    intake: str
    technician: Worker
    crews: tuple[Worker, ...]

    @classmethod
    def kept_in(cls, folder: Path) -> "Population | None":
        """Return the population of a data folder, None where there is none (or no readable one)."""
        try:
            return msgspec.json.decode((folder / "demo.json").read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def keep_in(self, folder: Path) -> None:
        """Write the population to a data folder, for its owner's eyes only."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = folder / "demo.json.new"
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self), indent=1))
        half.replace(folder / "demo.json")


def settle(
    client: httpx.Client, folder: Path, *, crews: int, seed: int | None, progress: Progress = lambda done, of: None
) -> Population:
    """Return the population of a data folder with at least so many crews; who is missing is made.

    `client` is an administrator's, its base URL ends with `/api/v1`. Raises `DemoRefused` where the folder belongs to
    another seed, or where somebody's own zones are in force.
    """
    kept = Population.kept_in(folder)
    if kept is not None and not _knows(client, kept):
        kept = None
    if kept is not None and seed not in (None, kept.seed):
        raise DemoRefused(
            f"The demo city in {folder} was made with --seed {kept.seed}: leave --seed out, or choose another folder "
            "with --data-dir."
        )
    seed = kept.seed if kept is not None else DEFAULT_SEED if seed is None else seed
    if kept is not None and len(kept.crews) >= crews:
        return kept
    city = generate_city(seed)
    maker = _Maker(client, seed)
    if kept is None:
        _put_zones(client, city, folder)
        technician = maker.worker(
            city, random.Random(f"{seed}/you"), name="您 you", zone=city.zone_ids[8], skills=SKILLS
        )
        [dispatcher, monitor, intake] = [maker.user(role) for role in ("dispatcher", "monitor", "intake")]
        kept = Population(seed, dispatcher, monitor, intake, technician, ())
    workers = list(kept.crews)
    for number in range(len(workers), crews):
        progress(number, crews)
        workers.append(_employ(maker, city, number))
    progress(crews, crews)
    settled = msgspec.structs.replace(kept, crews=tuple(workers))
    settled.keep_in(folder)
    return settled


def _employ(maker: "_Maker", city: DemoCity, number: int) -> Worker:
    """Make a crew: the first of each zone knows every trade, the others pipework and perhaps one more."""
    rng = random.Random(f"{maker.seed}/crew/{number}")
    zone = city.zone_ids[number % len(city.zone_ids)]
    if number < len(city.zone_ids):
        skills = SKILLS
    else:
        skills = tuple(sorted({"pipework", *rng.sample(SKILLS, k=rng.randint(0, 1))}))
    return maker.worker(city, rng, name=f"维修 {number + 1:02d} 号", zone=zone, skills=skills)


class _Maker:
    """Makes crews and users over REST, each once."""

    def __init__(self, client: httpx.Client, seed: int) -> None:
        self.seed = seed
        self._client = client

    def user(self, role: str) -> str:
        """Make a user and return his token."""
        made = self._post("/users", role, {"name": f"演示 demo {role}", "role": role})
        return str(self._post(f"/users/{made['id']}/tokens", f"{role}-token")["token"])

    def worker(self, city: DemoCity, rng: random.Random, *, name: str, zone: str, skills: tuple[str, ...]) -> Worker:
        """Make a crew that begins its day at one of its zone's stations."""
        station = rng.choice([each for each in city.stations if each.zone == zone])
        made = self._post("/crews", name, {"name": name, "skills": skills, "home_zone": zone})
        token = self._post(f"/crews/{made['id']}/tokens", f"{name}-token")["token"]
        return Worker(made["id"], token, station.lon, station.lat)

    def _post(self, path: str, what: str, body: Any = None) -> Any:
        # A header is Latin-1, a name need not be.
        key = f"demo-{self.seed}-{what.encode().hex()}"
        answer = self._client.post(path, json=body, headers={"Idempotency-Key": key})
        answer.raise_for_status()
        return answer.json()


def _knows(client: httpx.Client, kept: Population) -> bool:
    """Return whether the database behind the server is the one that these tokens are for."""
    token = {"Authorization": f"Bearer {kept.dispatcher}"}
    return client.get("/crews", params={"limit": 1}, headers=token).is_success


def _put_zones(client: httpx.Client, city: DemoCity, folder: Path) -> None:
    in_force = client.get("/zones").raise_for_status().json()
    ids = {feature["properties"]["id"] for feature in in_force["features"]}
    if ids and ids != set(city.zone_ids):
        raise DemoRefused(
            f"The data folder {folder} holds a city of your own ({len(ids)} zones), which the demo leaves alone: "
            "choose another folder with --data-dir."
        )
    client.put("/zones", json=city.zones).raise_for_status()
