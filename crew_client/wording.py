"""What a technician reads on the terminal: rows of lists, news, countdowns, distances, places. Pure."""

from datetime import datetime, timedelta

from crew_client.client import ConnectionState
from crew_client.protocol import Assigned, Offer, OfferClosed, Order, Revoked, ToCrew, Updated, Welcome
from crew_client.protocol.words import FAULTS, OFFERS_CLOSED, STATES

CONNECTIONS: dict[ConnectionState, str] = {
    "connecting": "[yellow]○ 连接中[/]",
    "online": "[green]● 在线[/]",
    "offline": "[red]○ 断线,正在重连[/]",
    "closed": "[red]○ 已断开[/]",
}
_BY = {"optimizer": "系统", "dispatcher": "调度员"}


def countdown(until: datetime, now: datetime, *, over: str) -> str:
    """Minutes and seconds that are left, rounded up: `1:05`, or the words of `over` when there are none."""
    left = until - now
    if left <= timedelta(0):
        return over
    minutes, seconds = divmod(-(-left // timedelta(seconds=1)), 60)
    return f"{minutes}:{seconds:02}"


def distance(metres: float) -> str:
    """`850 m` or `2.3 km`."""
    return f"{metres:.0f} m" if metres < 1000 else f"{metres / 1000:.1f} km"


def place(order: Order) -> str:
    """The address as people write it, else the parts that are known, else the coordinates."""
    if order.address:
        text = order.address.get("text")
        return str(text) if text else " ".join(str(part) for part in order.address.values() if part)
    return f"{order.location.lon:.5f}, {order.location.lat:.5f}" if order.location else "地点不详"


def fault(order: Order) -> str:
    """The fault with a mark for how bad it is."""
    return f"{FAULTS.get(order.category, order.category)} {'!' * max(order.severity - 2, 0)}".strip()


def offer_row(number: int, offer: Offer, now: datetime) -> tuple[str, ...]:
    """The cells of an offer in the list."""
    order = offer.order
    minutes = f"{offer.eta_s / 60:.0f} 分"
    # A window without a winner is followed by another: until `offer_closed`, the order can be had.
    closes = countdown(offer.closes_at, now, over="可抢")
    return (str(number), closes, fault(order), place(order), distance(offer.distance_m), minutes)


def order_row(order: Order, now: datetime) -> tuple[str, ...]:
    """The cells of a held order in the list."""
    contact = " ".join(part for part in (order.contact.name, order.contact.phone) if part) if order.contact else ""
    due = order.clocks.get("arrival")
    left = countdown(due.due_at, now, over="超时") if due and due.state in ("running", "at_risk") else ""
    return (STATES[order.state], left, fault(order), place(order), contact)


def news(message: ToCrew) -> str | None:
    """One line for the log, or None for what needs no words."""
    match message:
        case Welcome(resumed=resumed):
            return "已连接" if not resumed else "已重新连接,补收漏掉的消息"
        case Offer(order=order):
            return f"新工单 {fault(order)} {place(order)}"
        case OfferClosed(order=order_id, reason=reason):
            return f"{order_id} {OFFERS_CLOSED[reason]}"
        case Assigned(order=order, by=by):
            return f"{_BY[by]}派单 {fault(order)} {place(order)}"
        case Revoked(order=order_id, by=by, reason=reason):
            return f"{order_id} 被{_BY.get(by, by)}收回 {reason or ''}".strip()
        case Updated(order=order):
            return f"{order.id} {STATES[order.state]}"
    return None
