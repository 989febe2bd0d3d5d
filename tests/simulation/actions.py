"""What each action of a script does, to whatever there is when it happens."""

from typing import TYPE_CHECKING, Any

from dispatch.intake import Place, ReportedPlace, ReportIn
from dispatch.orders import ACTIONS
from dispatch.overrides import OverrideIn
from tests.town import WEST, centre

if TYPE_CHECKING:
    from tests.simulation.phone import Phone
    from tests.simulation.script import Action
    from tests.simulation.world import World

_WORDS = tuple(sorted(set(ACTIONS) - {"undo"}))


def perform(world: "World", action: "Action") -> None:
    """Let an action happen."""
    world.trace("script", action)
    phone = world.phones[action.who % len(world.phones)]
    if action.kind in _OF_PHONES:
        _OF_PHONES[action.kind](phone, action)
    else:
        _OF_THE_WORLD[action.kind](world, action)


def _an_offer(phone: "Phone", action: "Action") -> str | None:
    """Return an order that is offered to the crew, now and then any."""
    among = sorted(phone.offers) if phone.offers and action.how % 5 else sorted(phone.world.model.orders)
    return among[action.which % len(among)] if among else None


def _grab(phone: "Phone", action: "Action") -> None:
    if (order := _an_offer(phone, action)) is not None:
        phone.grab(order)


def _decline(phone: "Phone", action: "Action") -> None:
    if (order := _an_offer(phone, action)) is not None:
        phone.decline(order)


def _an_order(phone: "Phone", action: "Action") -> str | None:
    """Return an order that the crew holds, now and then any."""
    among = sorted(phone.orders) if phone.orders and action.how % 7 else sorted(phone.world.model.orders)
    return among[action.which % len(among)] if among else None


def _progress(phone: "Phone", action: "Action") -> None:
    order = _an_order(phone, action)
    if order is not None:
        phone.progress(order, ("en_route", "arrived", "arrived", "resolved", "suspended")[action.how % 5])


def _suspend(phone: "Phone", action: "Action") -> None:
    if (order := _an_order(phone, action)) is not None:
        phone.progress(order, "suspended", (None, "resident_absent", "waiting_part")[action.how % 3])


def _hand_back(phone: "Phone", action: "Action") -> None:
    if (order := _an_order(phone, action)) is not None:
        phone.hand_back(order)


def _cut(phone: "Phone", action: "Action") -> None:
    if phone.line is not None:
        phone.line.socket.end()


def _vanish(phone: "Phone", action: "Action") -> None:
    phone.gone = action.how % 2 == 0
    _cut(phone, action)


def _stall(phone: "Phone", action: "Action") -> None:
    if phone.line is not None:
        phone.line.socket.stall()


def _eager(phone: "Phone", action: "Action") -> None:
    phone.eager = True


def _diligent(phone: "Phone", action: "Action") -> None:
    phone.diligent = True


_OF_PHONES: dict[str, Any] = {
    "grab": _grab,
    "decline": _decline,
    "progress": _progress,
    "suspend": _suspend,
    "hand_back": _hand_back,
    "again": lambda phone, action: phone.again(action.which),
    "cut": _cut,
    "switch": lambda phone, action: phone.connect(),
    "stall": _stall,
    "vanish": _vanish,
    "shift": lambda phone, action: phone.shift(action.how % 3 == 0),
    "move": lambda phone, action: phone.locate(),
    "eager": _eager,
    "diligent": _diligent,
}


def _report(world: "World", action: "Action") -> None:
    lon, lat = centre(action.which % 3)
    place = {0: None, 1: ReportedPlace(WEST - 1, lat)}.get(action.how % 12, ReportedPlace(lon, lat))
    body = ReportIn(
        channel="phone",
        category="no_heat",
        description="cold",
        severity=(1, 2, 5)[action.who % 3],
        location=place,
        external_id=f"call-{action.which % 7}" if action.how % 3 == 0 else None,
        required_skills=("gas",) if action.how % 8 == 0 else (),
    )
    world.office.report(f"report-{world.number()}", body, twice=action.who % 4 == 0)


def _override(world: "World", action: "Action") -> None:
    orders = sorted(world.model.orders)
    if not orders:
        return
    order = orders[action.which % len(orders)]
    version = world.model.orders[order]["version"]
    lon, lat = centre(action.who % 3)
    # What he saw a moment ago, mostly; and mostly he takes somebody for it, or takes it away.
    word = OverrideIn(
        action=("assign", "revoke", "hold", "undo", "reprioritize", *_WORDS)[action.how % (len(_WORDS) + 5)],  # type: ignore[arg-type]
        reason="as seen",
        version=(None, version, version, version - 1)[action.who % 4] or None,
        crew=world.phones[action.who % len(world.phones)].crew,
        severity=(1, 2, 5)[action.how % 3],
        location=Place(lon, lat),
        into=orders[action.how % len(orders)],
        to="another office",
        pause_reason="waiting_part",
    )
    user = f"d{action.who % 2}"
    world.office.override(f"override-{world.number()}", user, order, word, twice=action.how % 5 == 0)


def _rate(world: "World", action: "Action") -> None:
    orders = sorted(world.model.orders)
    if orders:
        key = f"rating-{world.number()}"
        world.office.rate(
            key, orders[action.which % len(orders)], stars=1 + action.how % 5, resolved=action.who % 2 == 0
        )


def _crash(world: "World", action: "Action") -> None:
    if action.how % 3 == 0 and world.background:
        world.replace_background(action.which)
    elif world.nodes:
        world.crash(world.nodes[action.which % len(world.nodes)])


_OF_THE_WORLD: dict[str, Any] = {
    "report": _report,
    "override": _override,
    "rate": _rate,
    "crash": _crash,
    "away": lambda world, action: world.away(0.1 + action.how % 10 / 8),
}
