"""The residents of the demo city: they report what is broken, over REST, and rate what was mended.

As in life some reports come twice (two hotlines, one fault), some with the coordinates of a Chinese map (GCJ-02),
some with no place at all.
"""

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import Any

import httpx

from dispatch.demo.city import DemoCity, random_fault, random_household
from geo import Crs, from_wgs84

_log = logging.getLogger(__name__)
CHANNELS = ("wechat", "hotline_12345", "hotline_12319", "enterprise_phone", "walk_in")
_COMMENTS = {5: "师傅很快，谢谢", 4: "修好了", 3: "等得有点久", 2: "来得太晚", 1: "还是不热"}


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How residents behave; shares are chances from 0 to 1, times are simulated seconds.

    opening: reports that come at once when the day begins. again_share: reports that come a second time under the same
    id. gcj02_share: places in GCJ-02. placeless_share: reports without a place. rating_*: whether, and how long after
    the work, a resident rates; unresolved_share of them say that it is not mended.
    """

    opening: int = 4
    again_share: float = 0.05
    again_after_s: float = 60.0
    gcj02_share: float = 0.2
    placeless_share: float = 0.015
    rating_share: float = 0.8
    rating_after_s: float = 600.0
    unresolved_share: float = 0.04
    retry_s: float = 2.0


class Residents:
    """Everybody who reports. `api` is the address of `/api/v1`, `run` makes this life's external ids its own.

    `reports_per_hour` are of real time; the habits' times pass `speed` times as fast.
    """

    def __init__(
        self,
        api: str,
        token: str,
        *,
        city: DemoCity,
        seed: int,
        run: str,
        reports_per_hour: float,
        speed: float,
        habits: Habits | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=api, headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False
        )
        self._city = city
        self._rng = random.Random(f"{seed}/residents/{run}")
        self._run = run
        self._every_s = 3600 / reports_per_hour
        self._speed = speed
        self._habits = habits or Habits()
        self._sent = 0
        self._errands: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Report until cancelled."""
        try:
            for _ in range(self._habits.opening):
                self._begin(self._report())
            while True:
                await asyncio.sleep(self._rng.expovariate(1 / self._every_s))
                self._begin(self._report())
        finally:
            for errand in self._errands:
                errand.cancel()
            await asyncio.gather(*self._errands, return_exceptions=True)
            await self._client.aclose()

    def hear_resolved(self, order: str) -> None:
        """An order was resolved: perhaps its resident rates it, after a while."""
        if self._rng.random() < self._habits.rating_share:
            self._begin(self._rate(order))

    def _begin(self, errand: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _report(self) -> None:
        report = self._next_report()
        again = self._rng.random() < self._habits.again_share
        await self._post("/reports", report)
        if again:
            await asyncio.sleep(self._habits.again_after_s / self._speed)
            await self._post("/reports", report)

    def _next_report(self) -> dict[str, Any]:
        rng, habits = self._rng, self._habits
        household, fault = random_household(self._city, rng), random_fault(rng)
        self._sent += 1
        report: dict[str, Any] = {
            "channel": rng.choice(CHANNELS),
            "external_id": f"demo-{self._run}-{self._sent}",
            "category": fault.category,
            "severity": fault.severity,
            "description": fault.description,
            "required_skills": fault.required_skills,
            "contact": {"name": household.name, "phone": household.phone},
            "address": household.address,
        }
        if rng.random() >= habits.placeless_share:
            crs: Crs = "gcj02" if rng.random() < habits.gcj02_share else "wgs84"
            lon, lat = from_wgs84(household.lon, household.lat, crs)
            report["location"] = {"lon": lon, "lat": lat, "crs": crs}
        return report

    async def _rate(self, order: str) -> None:
        await asyncio.sleep(self._rng.expovariate(self._speed / self._habits.rating_after_s))
        mended = self._rng.random() >= self._habits.unresolved_share
        stars = self._rng.choices((5, 4, 3, 2), weights=(60, 25, 10, 5))[0] if mended else 1
        await self._post(f"/orders/{order}/rating", {"stars": stars, "resolved": mended, "comment": _COMMENTS[stars]})

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        """Post, again and again while the server is away; what it refuses is logged."""
        while True:
            try:
                answer = await self._client.post(path, json=body)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500:
                # 409: somebody else was first, as a dispatcher who closed the order.
                if answer.is_error and answer.status_code != 409:
                    _log.warning("a resident's request was refused: %s %s", path, answer.text)
                return
            await asyncio.sleep(self._habits.retry_s)
