"""The planner process: gives out what nobody grabbed in time (step 5).

Four times a second it looks which offers' time for grabs is over and assigns them, the most severe first, each in a
transaction of its own and by the version that it saw. Beside that it learns the city's forecasts now and then.
"""

import asyncio
from typing import TYPE_CHECKING

from dispatch.background import Background
from dispatch.forecaster import Forecaster
from dispatch.logs import configure_logs, logger
from dispatch.planning import assign_due
from dispatch.store.orders import ORDERS

if TYPE_CHECKING:
    from dispatch.city import City
    from dispatch.config import Settings
    from dispatch.store import Tx

EVERY_S = 0.25
MOST = 100
log = logger("planner")


async def tick(background: Background) -> int:
    """Assign what is due; return how many orders found a crew."""
    async with background.db.connection() as conn:
        due = await conn.fetch(ORDERS["due_assignments"], await background.now(), MOST)
    assigned = 0
    for row in due:
        city_id, order_id = row["city_id"], row["order_id"]
        city = await background.city(city_id)

        async def step(tx: "Tx", city_id: str = city_id, order_id: str = order_id, city: "City" = city) -> bool:
            # Looked at anew in each attempt: the crew that was picked before may be the one that has no room now.
            return await assign_due(tx, order_id, await background.crews(city_id), city)

        assigned += sum(await background.do(city_id, order_id, step))
    return assigned


def run_planner(settings: "Settings") -> int:
    """Plan until SIGTERM."""
    configure_logs(settings.log_level, settings.log_format, process="planner")

    forecaster = Forecaster()

    async def plan_and_learn(background: Background) -> int:
        forecaster.look(background)
        return await tick(background)

    async def main() -> int:
        return await Background(settings, "planner").run(plan_and_learn, every_s=EVERY_S)

    return asyncio.run(main())
