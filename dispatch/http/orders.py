"""Routes of orders: the lists, the whole story of one, candidates, overrides (step 6)."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Raw
from ulid import ULID

from crew_client.protocol import PublicOrder
from dispatch.consequences import foresee
from dispatch.crews import Candidate, Crew, candidates
from dispatch.errors import DispatchError, Invalid, NotFound, Problem
from dispatch.http.cursors import cursor_of, page_of, read_cursor
from dispatch.http.idempotency import once
from dispatch.http.reading import read_item
from dispatch.http.routing import Call, Page, Routes, encode
from dispatch.http.shapes import (
    CandidateOut,
    CandidatePage,
    EventPage,
    EventQuery,
    GrabOut,
    ListQuery,
    OrderDetail,
    OrderPage,
    OrderQuery,
    OverrideResult,
    OverrideResults,
    ProblemDocument,
)
from dispatch.orders import OPEN, State
from dispatch.overrides import OverrideIn, check, override
from dispatch.relay import event_row, logged
from dispatch.store.crews import CREWS
from dispatch.store.orders import ORDERS
from dispatch.store.rows import crew_of, order_of
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    from dispatch.access import Role
    from dispatch.store import Tx

routes = Routes()
WATCHERS: "frozenset[Role]" = frozenset({"dispatcher", "monitor"})
DISPATCHER: "frozenset[Role]" = frozenset({"dispatcher"})


MOST_OVERRIDES = 500
"""How many orders one list may be about."""


class OverrideItem(OverrideIn, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An override of a list, with the order that it is about."""

    order: Annotated[str, Meta(min_length=1, max_length=64)]


@routes.read("/orders", roles=WATCHERS, query=OrderQuery, answer=OrderPage)
async def list_orders(call: Call) -> Page:
    """List orders, the newest first."""
    query: OrderQuery = call.query
    states = query.state.split(",") if query.state else None
    for state in states or []:
        if state not in set(State):
            raise Invalid.field("/state", f"{state!r} is no state; the states are {', '.join(sorted(State))}")
    (after,) = read_cursor("orders", query.cursor, tuple[str]) or (None,)
    if states and OPEN.issuperset(states):
        asked = ORDERS["list_open_orders"]
    else:
        asked = ORDERS["list_orders" if query.crew is None else "list_orders_of_crew"]
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(asked, call.city, states, query.zone, query.crew, after, query.limit + 1)
    orders = [order_of(row).public() for row in rows[: query.limit]]
    return Page(orders, cursor_of("orders", orders[-1].id) if len(rows) > query.limit else None)


@routes.read("/orders/<order_id:str>", roles=WATCHERS, answer=OrderDetail)
async def get_order(call: Call) -> dict[str, Any]:
    """Show an order with its timeline, who asked for it, who got it and why."""
    order_id = call.path["order_id"]
    async with call.engine.db.snapshot() as conn:
        row = await conn.fetchrow(ORDERS["find_order"], call.city, order_id)
        if row is None:
            raise NotFound(f"no order {order_id} in this city")
        events = [logged(event) for event in await conn.fetch(LOG["timeline"], call.city, order_id)]
        grabs = await conn.fetch(CREWS["grabs_of_order"], call.city, order_id)
        users = {event.actor.removeprefix("user:") for event in events if event.actor.startswith("user:")}
        people = await conn.fetch(LOG["find_accounts"], call.city, list(users)) if users else []
    order = order_of(row)
    decided = [msgspec.json.decode(event.data) for event in events if event.kind == "order.claimed"]
    return {
        **msgspec.structs.asdict(order.public()),
        "description": row["description"],
        "contact": Raw(row["contact"].encode()) if row["contact"] and call.identity.role != "monitor" else None,
        "merged_into": order.merged_into,
        "transferred_to": order.transferred_to,
        "people": {f"user:{row['user_id']}": row["name"] for row in people},
        "timeline": [event_row(event) for event in events],
        "grabs": [
            GrabOut(g["crew_id"], g["message_id"], g["cycle"], g["at"], g["eta_s"], g["distance_m"], g["reason"])
            for g in grabs
        ],
        "decisions": [
            {
                "cycle": data["cycle"],
                "mode": data["mode"],
                "crew": data["order"]["crew"],
                **(data.get("decision") or {}),
            }
            for data in decided
        ],
    }


@routes.read("/orders/<order_id:str>/candidates", roles=DISPATCHER, query=ListQuery, answer=CandidatePage)
async def get_candidates(call: Call) -> Page:
    """Rank the crews for an order: why him, why not."""
    order_id = call.path["order_id"]
    async with call.engine.db.connection() as conn:
        row = await conn.fetchrow(ORDERS["find_order"], call.city, order_id)
        if row is None:
            raise NotFound(f"no order {order_id} in this city")
        crews = [crew_of(crew) for crew in await conn.fetch(CREWS["find_crews"], call.city, None)]
    order = order_of(row)
    known = call.mirror.crews
    crews = [
        msgspec.structs.replace(crew, position=known[crew.id].position, position_at=known[crew.id].position_at)
        if crew.id in known and crew.on_shift and known[crew.id].position is not None
        else crew
        for crew in crews
    ]
    ranked = candidates(
        order,
        crews,
        travel=call.mirror.city.travel_at(call.engine.now()),
        zones=order.offer.zones if order.offer else None,
    )
    page, after = page_of("candidates", ranked, call.query)
    by_id = {crew.id: crew for crew in crews}
    return Page([_candidate(call, order.public(), by_id[one.crew], one) for one in page], after)


def _candidate(call: Call, order: PublicOrder, crew: Crew, seen: Candidate) -> CandidateOut:
    """Return a candidate with what would follow if the order were his."""
    follows = foresee(
        order,
        crew,
        [live.order for live in call.mirror.held_orders(crew.id)],
        travel=call.mirror.city.travel_at(call.engine.now()),
        service_s=lambda each: call.mirror.city.forecasts.service.of(each.category, each.severity).median_s,
        now=call.engine.now(),
    )
    return CandidateOut(
        seen.crew, seen.eta_s, seen.distance_m, seen.eligible, seen.reasons, follows.arrives_s, follows.delays
    )


@routes.command("POST", "/orders/<order_id:str>/override", roles=DISPATCHER, body=OverrideIn, answer=PublicOrder)
async def post_override(call: Call, tx: "Tx") -> tuple[int, PublicOrder]:
    """Do what a dispatcher says to an order; it is final, versioned and audited."""
    return 200, await _override(call, tx, call.path["order_id"], call.body)


async def _override(call: Call, tx: "Tx", order_id: str, word: OverrideIn) -> PublicOrder:
    order = await override(
        tx,
        order_id,
        word,
        actor=call.identity.actor,
        override_id=str(ULID()),
        city=call.mirror.city,
        crews=call.mirror.crews.values(),
    )
    call.engine.metrics.overrides.labels(word.action).inc()
    return order.public()


@routes.batch("POST", "/overrides", roles=DISPATCHER, items=OverrideItem, answer=OverrideResults)
async def post_overrides(call: Call) -> OverrideResults:
    """Do a list of overrides, each by itself: one that fails leaves the others as they are."""
    if len(call.body) > MOST_OVERRIDES:
        raise Invalid.field("", f"at most {MOST_OVERRIDES} overrides at once; send the rest in another list")
    return OverrideResults([await _override_item(call, n, given) for n, given in enumerate(call.body)])


async def _override_item(call: Call, n: int, given: Any) -> OverrideResult:
    """Do the n-th override of a list, if it is one."""
    order_id = given.get("order") if isinstance(given, dict) else None
    try:
        item = read_item(given, OverrideItem)
        word = OverrideIn(**{name: getattr(item, name) for name in OverrideIn.__struct_fields__})
        check(word)

        async def step(tx: "Tx") -> tuple[int, PublicOrder]:
            return 200, await _override(call, tx, item.order, word)

        status, answer = await once(call.engine, call.key.part(str(n)), step)
    except DispatchError as error:
        if error.status >= 500 and call.key.given:
            raise  # which is not kept: the same list under its key goes on from here
        status, answer = error.status, encode(error.document())
    if status < 400:
        return OverrideResult(item.order, status, result=Raw(answer))
    problem = msgspec.json.decode(answer, type=ProblemDocument)
    return OverrideResult(
        order_id if isinstance(order_id, str) else "",
        status,
        code=problem.code,
        detail=problem.detail,
        current=problem.order,
        errors=tuple(Problem(f"/{n}{wrong.pointer}", wrong.detail) for wrong in problem.errors),
    )


@routes.read("/events", roles=WATCHERS, query=EventQuery, answer=EventPage)
async def get_events(call: Call) -> dict[str, Any]:
    """Read the city's event log from a position on, gapless."""
    async with call.engine.db.connection() as conn:
        rows = await conn.fetch(LOG["read"], call.city, call.query.after, call.query.limit)
    events = [event_row(logged(row)) for row in rows]
    return {"items": events, "last": events[-1]["seq"] if events else call.query.after}
