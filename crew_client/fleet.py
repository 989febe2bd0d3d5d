"""The simulated fleet: many technicians on real sockets, for the demo and for load.

    fleet = Fleet("http://127.0.0.1:8000", [("c1", token, 126.63, 45.75)], seed=1, speed=10)
    await fleet.run()      # until cancelled; fleet.stats says what has happened

The seed decides each technician's dice; what comes of it also depends on the server and the network. `behaviour` holds
the numbers, `technician` one crew's day, `radio` the dead zones.
"""

import asyncio
import logging
import random
from collections.abc import Sequence

from crew_client.behaviour import Behaviour
from crew_client.errors import GaveUpError
from crew_client.technician import Member, Stats, Technician
from crew_client.transport import OpenSocket, open_socket

__all__ = ["Behaviour", "Fleet", "Member", "Stats"]
_log = logging.getLogger(__name__)


class Fleet:
    """Simulated crews against the server at `base_url`; `speed` is how many simulated seconds pass in a real one.

    The crews log in one after the other over `start_over_s` real seconds. A crew that the server gives up (a bad
    token, a second connection) is logged, counted and left out; the others go on.
    """

    def __init__(
        self,
        base_url: str,
        members: Sequence[Member | tuple[str, str, float, float]],
        *,
        seed: int,
        speed: float = 1.0,
        behaviour: Behaviour | None = None,
        start_over_s: float = 2.0,
        open_socket: OpenSocket = open_socket,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be more than 0: {speed}")
        self.stats = Stats()
        self._start_over_s = start_over_s
        self._technicians = {
            member.crew: Technician(
                base_url,
                member,
                behaviour=behaviour or Behaviour(),
                rng=random.Random(f"{seed}/{member.crew}"),
                stats=self.stats,
                speed=speed,
                open_socket=open_socket,
            )
            for member in (Member(*entry) for entry in members)
        }

    async def run(self) -> None:
        """Work until cancelled; returns early only where the server has given up every crew. Call it once."""
        async with asyncio.TaskGroup() as group:
            for crew, technician in self._technicians.items():
                group.create_task(self._employ(crew, technician), name=f"technician-{crew}")
                await asyncio.sleep(self._start_over_s / len(self._technicians))

    async def _employ(self, crew: str, technician: Technician) -> None:
        try:
            await technician.run()
        except* GaveUpError as group:
            self.stats.gave_up += 1
            _log.warning("crew %s left the fleet: %s", crew, group.exceptions[0])
