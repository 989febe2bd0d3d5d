"""Routes of what the plan proposes where a zone's policy lets a person decide (step 5)."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from crew_client.protocol import PublicOrder
from dispatch.http.orders import DISPATCHER, WATCHERS
from dispatch.http.routing import Call, Routes
from dispatch.replans import REPLANS, Replan, accept, dismiss, replan_of

if TYPE_CHECKING:
    from dispatch.store import Tx

routes = Routes()


class ReplanPage(Struct, frozen=True):
    """What waits for a word, the oldest first."""

    items: list[Replan]
    next: str | None = None


class DismissIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Why not, where somebody says so; it is kept."""

    reason: Annotated[str, Meta(max_length=2000)] | None = None


@routes.read("/replans", roles=WATCHERS, answer=ReplanPage)
async def get_replans(call: Call) -> ReplanPage:
    """List the moves that the plan proposes and nobody has decided."""
    async with call.engine.db.connection() as conn:
        known = [replan_of(row) for row in await conn.fetch(REPLANS["replans"], call.city)]
    return ReplanPage([replan for replan in known if not replan.dismissed])


@routes.command("POST", "/replans/<replan_id:str>/accept", roles=DISPATCHER, answer=PublicOrder)
async def post_accept(call: Call, tx: "Tx") -> tuple[int, PublicOrder]:
    """Move the order as the plan proposes; both crews are told. 409 says why it is too late."""
    order = await accept(tx, call.path["replan_id"], actor=call.identity.actor)
    return 200, order.public()


@routes.command("POST", "/replans/<replan_id:str>/dismiss", roles=DISPATCHER, body=DismissIn, answer=Replan)
async def post_dismiss(call: Call, tx: "Tx") -> tuple[int, Replan]:
    """Leave the order where it is; the same is not proposed again while its crew holds it."""
    return 200, await dismiss(tx, call.path["replan_id"], actor=call.identity.actor, reason=call.body.reason)
