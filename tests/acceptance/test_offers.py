"""Who is offered an order, when, and who gets it: the grab policy of a zone, seen from phones."""

import asyncio
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest

from tests.acceptance.city import SIDE, City, centre
from tests.acceptance.conftest import MakeCity
from tests.acceptance.sockets import Frame, Phone, fresh_id
from tests.acceptance.waiting import until

LONG = {"assign_after_s": 600, "ring_s": [300, 400]}
"""Nothing happens by itself while a test looks on."""


def seconds_until(moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()


async def no_offer(phone: Phone, order: str) -> None:
    """The order was not offered to this phone by now."""
    await phone.settle()
    assert not [frame for frame in phone.of("offer") if frame["order"]["id"] == order]


async def test_in_mode_first_the_first_grab_wins_and_the_others_hear_so(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", **LONG})
    fast_crew, fast = await city.working()
    _, slow = await city.working()
    _, silent = await city.working()
    order = await city.report(contact={"name": "王", "phone": "138"}, description="暖气不热")
    for phone in (fast, slow, silent):
        offer = await phone.expect("offer", order=order["id"])
        assert (offer["mode"], offer["order"]["state"], offer["distance_m"]) == ("first", "offered", 0)
        assert offer["eta_s"] == 0
        assert offer["order"]["description"] == "暖气不热"
        assert "contact" not in offer["order"], "whom to call is told to the crew that holds the order"
        assert offer["seq"] > 0
    assert (await fast.verdict(order["id"])) == {
        "type": "grab_result",
        "id": fast.of("grab_result")[0]["id"],
        "order": order["id"],
        "won": True,
        "reason": "won",
    }
    lost = await slow.verdict(order["id"])
    assert (lost["won"], lost["reason"]) == (False, "taken")
    for phone in (slow, silent):
        assert (await phone.expect("offer_closed", order=order["id"]))["reason"] == "taken"
    updated = await fast.expect("updated", order=order["id"])
    assert updated["order"]["contact"] == {"name": "王", "phone": "138"}
    assert not fast.of("offer_closed")
    held = await city.order(order["id"])
    assert (held["state"], held["crew"], held["claimed_by"]) == ("claimed", fast_crew.id, "grab")
    assert held["clocks"]["hand_down"]["state"] == "met"


async def test_many_grab_at_once_and_one_wins(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", **LONG})
    phones = [(await city.working())[1] for _ in range(12)]
    order = await city.report()
    for phone in phones:
        await phone.expect("offer", order=order["id"])
    verdicts = await asyncio.gather(*(phone.verdict(order["id"]) for phone in phones))
    assert sorted(v["reason"] for v in verdicts) == sorted(["won"] + ["taken"] * 11)
    grabs = (await city.order(order["id"]))["grabs"]
    assert sorted(g["reason"] for g in grabs) == sorted(["won"] + ["taken"] * 11)


async def test_a_sealed_offer_collects_bids_and_the_nearest_wins_not_the_fastest(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 1.5, "tie_s": 30, **LONG})
    lon, lat = centre(0)
    far_crew, far = await city.working(at=(lon + SIDE * 2, lat))
    near_crew, near = await city.working(at=(lon, lat))
    _, silent = await city.working()
    order = await city.report()
    offer = await far.expect("offer", order=order["id"])
    assert offer["mode"] == "sealed"
    assert 0.5 < seconds_until(offer["closes_at"]) < 1.7
    begun = monotonic()
    bid = await far.grab(order["id"])
    acked = await far.expect("grab_ack", id=bid)
    assert (acked["order"], acked["closes_at"]) == (order["id"], offer["closes_at"])
    second = await near.grab(order["id"])
    await near.expect("grab_ack", id=second)
    assert (await near.expect("grab_result", id=second))["reason"] == "won"
    assert (await far.expect("grab_result", id=bid))["reason"] == "outbid"
    assert monotonic() - begun > 0.8, "the window stays open as long as somebody has not answered"
    assert (await silent.expect("offer_closed", order=order["id"]))["reason"] == "taken"
    whole = await city.order(order["id"])
    assert (whole["crew"], whole["claimed_by"]) == (near_crew.id, "grab")
    assert {(g["crew"], g["reason"]) for g in whole["grabs"]} == {(near_crew.id, "won"), (far_crew.id, "outbid")}
    (decision,) = whole["decisions"]
    assert (decision["winner"], decision["reason"]) == (near_crew.id, "earliest_arrival")
    assert [r["crew"] for r in decision["ranking"]] == [near_crew.id, far_crew.id]


async def test_who_must_finish_a_visit_first_loses_to_an_idle_crew_further_away(
    make_city: MakeCity,
) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 1.5, "tie_s": 30, **LONG})
    lon, lat = centre(0)
    busy_crew, busy = await city.working(at=(lon, lat), capacity=2)
    idle_crew, idle = await city.working(at=(lon + SIDE / 2, lat))
    at_hand = await city.report()
    await city.override(at_hand["id"], "assign", crew=busy_crew.id)
    await busy.progress(at_hand["id"], "arrived")
    order = await city.report()
    for phone in (busy, idle):
        await phone.expect("offer", order=order["id"])
    first, second = await busy.grab(order["id"]), await idle.grab(order["id"])
    assert (await idle.expect("grab_result", id=second))["reason"] == "won"
    assert (await busy.expect("grab_result", id=first))["reason"] == "outbid"
    (decision,) = (await city.order(order["id"]))["decisions"]
    assert decision["reason"] == "earliest_arrival"
    assert [r["crew"] for r in decision["ranking"]] == [idle_crew.id, busy_crew.id]


async def test_a_sealed_window_closes_early_once_everybody_has_answered(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 120, **LONG})
    _, bidder = await city.working()
    _, other = await city.working()
    order = await city.report()
    for phone in (bidder, other):
        await phone.expect("offer", order=order["id"])
    begun = monotonic()
    bid = await bidder.grab(order["id"])
    await bidder.expect("grab_ack", id=bid)
    await bidder.settle()
    assert not bidder.of("grab_result"), "the other has not answered"
    declined = await other.decline(order["id"])
    assert "error" not in declined
    assert (await bidder.expect("grab_result", id=bid))["won"] is True
    assert monotonic() - begun < 60


async def test_a_phone_that_comes_back_is_shown_the_end_of_the_window_in_force(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 0.5, **LONG})
    crew, phone = await city.working()
    order = await city.report()
    offer = await phone.expect("offer", order=order["id"])
    while seconds_until(offer["closes_at"]) > -0.1:
        await asyncio.sleep(0.05)
    again = await city.phone(crew)
    welcome = await again.hello()
    (shown,) = welcome["offers"]
    ends, ended, now = (
        datetime.fromisoformat(moment) for moment in (shown["closes_at"], offer["closes_at"], welcome["server_time"])
    )
    assert now < ends
    windows = (ends - ended).total_seconds() / 0.5
    assert windows == round(windows)


async def test_a_decline_takes_back_the_bid_that_came_before_it(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 120, **LONG})
    lon, lat = centre(0)
    crew, near = await city.working()
    far_crew, far = await city.working(at=(lon + SIDE / 2, lat))
    order = (await city.report())["id"]
    for phone in (near, far):
        await phone.expect("offer", order=order)
    bid = await near.grab(order)  # and at once, before it is in:
    assert "error" not in await near.decline(order)
    taken_back = await near.expect("grab_result", id=bid)
    assert (taken_back["won"], taken_back["reason"]) == (False, "closed")
    assert near.of("grab_ack"), "it was a bid, until it was taken back"
    again = await city.phone(crew, other_engine=True)
    await again.hello()
    await again.grab(order, bid)
    assert (await again.expect("grab_result", id=bid))["reason"] == "closed"
    assert (await far.verdict(order))["won"] is True
    assert (await city.order(order))["crew"] == far_crew.id


async def test_a_window_of_one_closes_with_its_bid(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 120, **LONG})
    _, phone = await city.working()
    order = await city.report()
    await phone.expect("offer", order=order["id"])
    assert (await phone.verdict(order["id"]))["won"] is True


async def test_all_decline_and_the_offer_stays_open_until_the_machine_takes_over(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 0.3, "assign_after_s": 1.5, "ring_s": [300, 400]})
    crew, phone = await city.working()
    order = await city.report()
    await phone.expect("offer", order=order["id"])
    assert "error" not in await phone.decline(order["id"])
    assert (await city.order(order["id"]))["state"] == "offered"
    assigned = await phone.expect("assigned", order=order["id"], within_s=5)
    assert (assigned["by"], assigned["order"]["claimed_by"], assigned["order"]["crew"]) == (
        "optimizer",
        "optimizer",
        crew.id,
    )
    assert assigned["reason"]
    kinds = [event["kind"] for event in (await city.order(order["id"]))["timeline"]]
    assert kinds == ["order.reported", "order.offered", "order.declined", "order.assigned"]


async def test_nobody_grabs_and_the_machine_assigns_the_nearest_in_time(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", "assign_after_s": 1.0, "ring_s": [300, 400]})
    _, far = await city.working(3)
    near_crew, near = await city.working(0)
    begun = monotonic()
    order = await city.report(0)
    await near.expect("offer", order=order["id"])
    assigned = await near.expect("assigned", order=order["id"])
    assert monotonic() - begun > 0.9
    assert assigned["order"]["crew"] == near_crew.id
    await no_offer(far, order["id"])
    late = await far.verdict(order["id"])
    assert (late["won"], late["reason"]) == (False, "taken")
    assert not near.of("offer_closed")


async def test_whoever_bid_goes_before_the_machine(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 1.5, "assign_after_s": 0.3, "ring_s": [300, 400]})
    lon, lat = centre(0)
    far_crew, far = await city.working(at=(lon + SIDE, lat))
    _, near = await city.working()
    order = await city.report()
    await near.expect("offer", order=order["id"])
    assert (await far.verdict(order["id"]))["won"] is True
    held = await city.order(order["id"])
    assert (held["crew"], held["claimed_by"]) == (far_crew.id, "grab")


async def test_an_order_is_assigned_in_time_for_its_clock_however_long_the_policy_waits(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", "assign_after_s": 3600, "ring_s": [300, 400]})
    lon, lat = centre(0)
    _, phone = await city.working(at=(lon + SIDE / 3, lat))
    order = await city.report(severity=4, reported_at=_ago(900 - 75))
    assert seconds_until(order["clocks"]["arrival"]["due_at"]) < 76
    await phone.expect("offer", order=order["id"])
    assigned = await phone.expect("assigned", order=order["id"], within_s=9)
    assert assigned["by"] == "optimizer"
    eta = phone.of("offer")[0]["eta_s"]
    assert eta > 40
    assert seconds_until(assigned["order"]["clocks"]["arrival"]["due_at"]) > eta


async def test_a_crew_with_work_in_hand_next_door_does_not_delay_the_assignment_of_an_idle_one(
    make_city: MakeCity,
) -> None:
    city: City = await make_city({"mode": "first", "assign_after_s": 3600, "ring_s": [300, 400]})
    lon, lat = centre(0)
    busy_crew, busy = await city.working(at=(lon, lat), capacity=2)
    at_hand = await city.report()
    await city.override(at_hand["id"], "assign", crew=busy_crew.id)
    await busy.progress(at_hand["id"], "arrived")
    _, idle = await city.working(at=(lon + SIDE / 3, lat))
    order = await city.report(severity=4, reported_at=_ago(900 - 75))
    await busy.expect("offer", order=order["id"])
    offer = await idle.expect("offer", order=order["id"])
    assigned = await idle.expect("assigned", order=order["id"], within_s=9)
    assert seconds_until(assigned["order"]["clocks"]["arrival"]["due_at"]) > offer["eta_s"]


def _ago(seconds: float) -> str:
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC).isoformat()


async def test_an_offer_widens_to_the_neighbours_and_then_to_the_city(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", "assign_after_s": 600, "ring_s": [1.0, 2.0]})
    _, own = await city.working(0)
    _, neighbour = await city.working(1)
    _, elsewhere = await city.working(3)
    order = await city.report(0)
    begun = monotonic()
    await own.expect("offer", order=order["id"])
    await no_offer(neighbour, order["id"])
    await neighbour.expect("offer", order=order["id"])
    second = monotonic() - begun
    await no_offer(elsewhere, order["id"])
    early = await elsewhere.verdict(order["id"])
    assert early["reason"] == "not_eligible"
    await elsewhere.expect("offer", order=order["id"])
    third = monotonic() - begun
    assert 0.8 < second < 1.9 < third < 3.2
    assert (await elsewhere.verdict(order["id"]))["won"] is True
    for phone in (own, neighbour):
        assert (await phone.expect("offer_closed", order=order["id"]))["reason"] == "taken"


async def test_a_single_ring_s_opens_the_city_after_twice_the_time(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", "assign_after_s": 600, "ring_s": 0.5})
    _, elsewhere = await city.working(3)
    order = await city.report(0)
    await elsewhere.expect("offer", order=order["id"])
    timeline = (await city.order(order["id"]))["timeline"]
    assert [event["kind"] for event in timeline] == [
        "order.reported",
        "order.offered",
        "order.widened",
        "order.widened",
    ]


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("off_shift", "off_shift"),
        ("at_capacity", "at_capacity"),
        ("lacks_skill:gas", "not_eligible"),
        ("no_position", "not_eligible"),
        ("outside_ring", "not_eligible"),
        ("excluded", "not_eligible"),
    ],
)
async def test_who_may_not_grab_is_not_offered_and_told_why(make_city: MakeCity, why: str, reason: str) -> None:
    city: City = await make_city({"mode": "first", **LONG})
    skills = [] if why.startswith("lacks_skill") else ["gas", "weld"]
    crew = await city.crew(2 if why == "outside_ring" else 0, skills=skills)
    phone = await city.phone(crew)
    await phone.hello()
    if why != "off_shift":
        await phone.say("shift", on=True)
    if why != "no_position":
        await phone.at(*centre(0))
    if why == "at_capacity":
        await phone.verdict((await city.report())["id"], won=True)
    order = await city.report(required_skills=["gas"])
    if why == "excluded":
        await city.override(order["id"], "assign", crew=crew.id)
        await phone.expect("assigned", order=order["id"])
        await city.override(order["id"], "revoke")
        await phone.expect("revoked", order=order["id"])
    else:
        await no_offer(phone, order["id"])
    verdict = await phone.verdict(order["id"])
    assert (verdict["won"], verdict["reason"]) == (False, reason)
    (candidate,) = (await city.get(f"/orders/{order['id']}/candidates"))["items"]
    assert (candidate["crew"], candidate["eligible"]) == (crew.id, False)
    assert why in candidate["reasons"]


async def test_candidates_are_ranked_by_arrival_the_eligible_first(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", **LONG})
    lon, lat = centre(0)
    far, _ = await city.working(at=(lon + SIDE, lat))
    near, _ = await city.working()
    off = await city.crew()
    order = await city.report()
    ranked = (await city.get(f"/orders/{order['id']}/candidates", role="dispatcher"))["items"]
    assert [c["crew"] for c in ranked] == [near.id, far.id, off.id]
    assert [c["eligible"] for c in ranked] == [True, True, False]
    assert [c["reasons"] for c in ranked] == [[], [], ["off_shift", "no_position"]]
    assert ranked[0]["eta_s"] < ranked[1]["eta_s"]
    assert ranked[1]["distance_m"] == pytest.approx(776, abs=5)
    assert ranked[1]["eta_s"] == pytest.approx(776 * 1.3 / 6.0, abs=3)
    assert ranked[2]["eta_s"] is None


@pytest.mark.parametrize("first_says", ["shift", "position"])
async def test_a_crew_that_comes_on_shift_is_offered_what_is_open(make_city: MakeCity, first_says: str) -> None:
    city: City = await make_city({"mode": "first", **LONG})
    crew = await city.crew()
    phone = await city.phone(crew)
    order = await city.report()
    await phone.hello()
    if first_says == "shift":
        await phone.say("shift", on=True)
        await no_offer(phone, order["id"])
        await phone.at(*centre(0))
    else:
        await phone.at(*centre(0))
        await no_offer(phone, order["id"])
        await phone.say("shift", on=True)
    await phone.expect("offer", order=order["id"])
    assert (await phone.verdict(order["id"]))["won"] is True


async def finish(phone: Phone, order: str) -> None:
    for to in ("arrived", "resolved"):
        assert "error" not in await phone.progress(order, to)


@pytest.mark.parametrize("freed_by", ["resolved", "suspended", "hold", "cancel", "revoke", "transfer", "merge"])
async def test_a_crew_that_is_free_again_is_offered_what_is_open(make_city: MakeCity, freed_by: str) -> None:
    city: City = await make_city({"mode": "first", **LONG})
    _, phone = await city.working()
    first = (await city.report())["id"]
    await phone.expect("offer", order=first)
    assert (await phone.verdict(first))["won"] is True
    second = (await city.report())["id"]
    await no_offer(phone, second)
    if freed_by == "resolved":
        await finish(phone, first)
    elif freed_by == "suspended":
        assert (await phone.progress(first, "suspended", reason="waiting_part"))["state"] == "suspended"
    else:
        fields = {"transfer": {"to": "开发商"}, "merge": {"into": second}}.get(freed_by, {})
        await city.override(first, freed_by, **fields)
        await phone.expect("revoked", order=first)
    await phone.expect("offer", order=second)
    assert (await phone.verdict(second))["won"] is True


async def test_a_crew_that_ends_its_shift_gets_no_offers(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", **LONG})
    crew, phone = await city.working()
    await phone.say("shift", on=False)

    async def off() -> bool:
        crews = (await city.get("/crews"))["items"]
        return all(c["state"] == "off" and c["position"] is None for c in crews if c["id"] == crew.id)

    await until(off)
    order = await city.report()
    await no_offer(phone, order["id"])
    assert (await phone.verdict(order["id"]))["reason"] == "off_shift"


async def test_a_crew_off_shift_is_shown_nothing_and_a_new_shift_shows_it_everything_anew(
    make_city: MakeCity,
) -> None:
    city: City = await make_city({"mode": "first", **LONG})
    crew, phone = await city.working(capacity=2)
    first, second = [(await city.report())["id"] for _ in range(2)]
    for order in (first, second):
        await phone.expect("offer", order=order)
    await phone.say("shift", on=False)
    ended = await phone.expect("shift_changed", on=False)
    for order in (first, second):
        await city.override(order, "reprioritize", severity=4)
    await city.override(second, "hold")
    _, other = await city.working()
    await other.expect("offer", order=first)
    await phone.settle()
    assert [frame["type"] for frame in phone.frames if frame.get("seq", 0) > ended["seq"]] == []
    for other_engine in (False, True):
        back = await city.phone(crew, other_engine=other_engine)
        welcome = await back.hello()
        assert (welcome["offers"], welcome["on_shift"]) == ([], False)
    await back.say("shift", on=True)
    begun = await back.expect("shift_changed", on=True)
    await back.at(*centre(0))
    offer = await back.expect("offer", order=first)
    assert offer["seq"] > begun["seq"]
    assert offer["order"]["severity"] == 4
    await no_offer(back, second)
    again = await city.phone(crew)
    welcome = await again.hello()
    assert [order["id"] for order in welcome["offers"]] == [first]
    assert (await again.verdict(first))["won"] is True


async def test_an_order_that_nobody_can_take_stays_open_and_the_dispatchers_hear_why(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", "assign_after_s": 0.3, "ring_s": [300, 400]})
    order = await city.report(required_skills=["gas"])

    async def stranded() -> bool:
        return "order.stranded" in [event["kind"] for event in (await city.order(order["id"]))["timeline"]]

    await until(stranded)
    whole = await city.order(order["id"])
    assert whole["state"] == "offered"
    assert whole["timeline"][-1]["data"]["reason"]
    _, phone = await city.working(skills=["gas"])
    await phone.expect("offer", order=order["id"])
    assert (await phone.verdict(order["id"]))["won"] is True


async def test_the_wire_is_the_same_for_a_grab_of_nothing(quick: City) -> None:
    _, phone = await quick.working()
    verdict = await phone.verdict("no-such-order")
    assert (verdict["won"], verdict["reason"]) == (False, "unknown_order")
    order = (await quick.report())["id"]
    await quick.override(order, "hold")
    assert (await phone.verdict(order))["reason"] == "closed"
    await quick.override(order, "cancel")
    assert (await phone.verdict(order))["reason"] == "closed"


async def test_who_grabs_faster_than_a_person_can_is_told_so(quick: City) -> None:
    _, phone = await quick.working()
    ids = [fresh_id() for _ in range(260)]
    for id in ids:
        await phone.say("grab", id=id, order="nothing")
    answers: dict[str, Frame] = {}
    while len(answers) < len(ids):
        frame = await phone.expect("grab_result")
        answers[frame["id"]] = frame
    reasons = [answers[id]["reason"] for id in ids]
    assert "rate_limited" in reasons
    assert set(reasons) == {"unknown_order", "rate_limited"}
    limited = ids[reasons.index("rate_limited")]
    await asyncio.sleep(0.2)  # the bucket fills again
    await phone.say("grab", id=limited, order="nothing")
    assert (await phone.expect("grab_result", id=limited))["reason"] == "rate_limited", "a verdict never changes"


async def test_a_bidder_who_leaves_before_the_window_ends_does_not_win(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 1.5, **LONG})
    lon, lat = centre(0)
    _, near = await city.working()
    far_crew, far = await city.working(at=(lon + SIDE, lat))
    _, silent = await city.working()
    order = await city.report()
    await silent.expect("offer", order=order["id"])
    bids: list[tuple[Phone, str]] = []
    for phone in (near, far):
        bids.append((phone, await phone.grab(order["id"])))
        await phone.expect("grab_ack", id=bids[-1][1])
    await near.say("shift", on=False)
    (_, gone), (_, stayed) = bids
    assert (await far.expect("grab_result", id=stayed))["won"] is True
    verdict: Any = await near.expect("grab_result", id=gone)
    assert (verdict["won"], verdict["reason"]) == (False, "off_shift")
    assert (await city.order(order["id"]))["crew"] == far_crew.id


async def test_crews_and_orders_that_appear_at_the_same_moment_all_meet(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "first", **LONG})
    crews = [await city.crew(capacity=100) for _ in range(8)]
    phones = [await city.phone(crew) for crew in crews]

    async def appear(phone: Phone, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await phone.on_shift(*centre(0))

    async def report(after_s: float) -> str:
        await asyncio.sleep(after_s)
        return str((await city.report())["id"])

    appearing = [appear(phone, n / 100) for n, phone in enumerate(phones)]
    orders, _ = await asyncio.gather(
        asyncio.gather(*(report(n / 200) for n in range(16))),
        asyncio.gather(*appearing),
    )
    for phone in phones:
        for order in orders:
            await phone.expect("offer", order=order)
