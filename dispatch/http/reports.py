"""Routes of step 1 and step 10: reports in, ratings in."""

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw
from ulid import ULID

from crew_client.protocol import PublicOrder
from dispatch.errors import NotFound
from dispatch.feedback import RatingIn, rate
from dispatch.http.routing import Call, Routes
from dispatch.http.shapes import ReportOut
from dispatch.intake import ReportIn, Taken, take_report
from dispatch.store.orders import ORDERS
from dispatch.store.rows import order_of
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    from dispatch.access import Identity, Role
    from dispatch.engine import Engine
    from dispatch.mirror import Mirror
    from dispatch.store import Tx

routes = Routes()
INTAKE: "frozenset[Role]" = frozenset({"intake"})


@routes.command("POST", "/reports", roles=INTAKE, body=ReportIn, answer=ReportOut, status=201)
async def post_report(call: Call, tx: "Tx") -> tuple[int, ReportOut]:
    """Take a report; the same (channel, external_id) again gives the first answer."""
    taken = await take(tx, call.body, engine=call.engine, mirror=call.mirror, identity=call.identity)
    if taken.fresh:
        return 201, ReportOut(taken.report, (await tx.orders.find(taken.order)).public())
    first = await tx.conn.fetchval(LOG["as_reported"], tx.city_id, taken.order)
    return 200, ReportOut(taken.report, msgspec.json.decode(first, type=PublicOrder))


async def take(tx: "Tx", report: ReportIn, *, engine: "Engine", mirror: "Mirror", identity: "Identity") -> Taken:
    """Take a report that came over HTTP, and count it."""
    taken = await take_report(
        tx,
        report,
        city=mirror.city,
        crews=mirror.crews.values(),
        report_id=f"r{ULID()}",
        order_id=f"o{ULID()}",
        actor=identity.actor,
    )
    engine.metrics.reports.labels("taken" if taken.fresh else "repeated").inc()
    return taken


@routes.read("/reports/<report_id:str>", roles=INTAKE, answer=ReportOut)
async def get_report(call: Call) -> ReportOut:
    """Show a report and its order."""
    async with call.engine.db.connection() as conn:
        row = await conn.fetchrow(ORDERS["find_report"], call.city, call.path["report_id"])
        if row is None:
            raise NotFound(f"no report {call.path['report_id']} in this city")
        order = order_of(await conn.fetchrow(ORDERS["find_order"], call.city, row["order_id"]))
    return ReportOut(row["report_id"], order.public(), Raw(row["body"].encode()))


@routes.command("POST", "/orders/<order_id:str>/rating", roles=INTAKE, body=RatingIn, answer=PublicOrder)
async def post_rating(call: Call, tx: "Tx") -> tuple[int, PublicOrder]:
    """Keep what the resident says; `resolved: false` opens the order again."""
    order = await rate(
        tx,
        call.path["order_id"],
        call.body,
        actor=call.identity.actor,
        city=call.mirror.city,
        crews=call.mirror.crews.values(),
    )
    return 200, order.public()
