"""What a day begins with stands as it stood."""

from datetime import UTC, datetime, timedelta

from crew_client.protocol import Location, PublicOrder
from dispatch import clocks
from dispatch.cities import bare_city
from dispatch.config import Settings
from dispatch.orders import State
from dispatch.simulate.scenario import ScenarioCrew, ScenarioReport
from dispatch.simulate.standing import OnShift, Standing, StandingOrder, crew_rows, order_of

NOW = datetime(2026, 1, 15, 8, tzinfo=UTC)
CITY = bare_city("town", Settings())


def standing_order(state: str, *, crew: str | None = None, opened_at: datetime | None = None) -> StandingOrder:
    reported_at = NOW - timedelta(minutes=10)
    running = clocks.start({}, clocks.AT_REPORT, reported_at, severity=2, targets=CITY.targets)
    order = PublicOrder("o", 7, state, "west", "leak", 2, Location(126.6, 45.7), None, crew, None, reported_at, running)  # type: ignore[arg-type]
    report = ScenarioReport("o", reported_at, 126.6, 45.7, "leak", 2, 600.0, ())
    return StandingOrder(report, order, cycle=3, excluded=("li",), opened_at=opened_at)


def test_an_open_offer_keeps_its_age_its_cycle_and_who_is_not_asked() -> None:
    opened_at = NOW - timedelta(seconds=50)
    order = order_of(standing_order("offered", opened_at=opened_at), (), CITY)
    assert order.offer is not None
    assert order.offer.opened_at == opened_at
    assert order.offer.assign_at == opened_at + timedelta(seconds=CITY.default_policy.assign_after_s)
    assert (order.version, order.cycle, order.excluded) == (7, 3, ("li",))
    assert order.clocks["arrival"].due_at == order.reported_at + timedelta(minutes=15)


def test_what_a_crew_suspended_is_in_nobodys_hands() -> None:
    order = order_of(standing_order("suspended", crew="li"), (), CITY)
    assert (order.state, order.crew, order.offer) == (State.SUSPENDED, None, None)


def test_crews_come_with_what_they_hold_and_have_taken() -> None:
    crews = [ScenarioCrew(name, 126.6, 45.7, "west", (), 2, ()) for name in ("li", "wang")]
    since = NOW - timedelta(hours=3)
    standing = Standing(NOW, {"o": standing_order("en_route", crew="li")}, {"li": OnShift(since, 5)})
    li, wang = crew_rows(standing, crews)
    assert (li.on_shift, li.shift_since, li.load, li.taken) == (True, since, 1, 5)
    assert (wang.on_shift, wang.load, wang.position) == (False, 0, None)
