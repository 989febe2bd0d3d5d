"""The clocks: where each stands, what they sum up to, and each alarm exactly once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.city import City, zone_id
from tests.acceptance.sockets import Phone
from tests.acceptance.waiting import until

Body = dict[str, Any]


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


async def clocks_in(city: City, state: str) -> dict[tuple[str, str], Body]:
    items = (await city.get("/sla/clocks", state=state, limit=500, role="monitor"))["items"]
    assert {item["state"] for item in items} <= {state}
    return {(item["order"], item["clock"]): item for item in items}


async def test_a_fresh_order_has_its_clocks_from_the_moment_of_the_report(quick: City) -> None:
    order = await quick.report(reported_at=ago(60))
    reported = at(order["reported_at"])
    assert datetime.now(UTC) - reported == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=5))
    assert {name: at(clock["due_at"]) - reported for name, clock in order["clocks"].items()} == {
        "hand_down": timedelta(minutes=10),
        "arrival": timedelta(minutes=15),
        "resolve": timedelta(hours=24),
    }
    running = await clocks_in(quick, "running")
    assert set(running) == {(order["id"], name) for name in ("hand_down", "arrival", "resolve")}
    row = running[order["id"], "hand_down"]
    assert row["due_at"] == order["clocks"]["hand_down"]["due_at"]
    assert row["remaining_s"] == pytest.approx(540, abs=5)
    assert (row["zone"], row["severity"]) == (zone_id(0), 2)


async def test_clocks_are_listed_in_the_state_in_which_they_are(quick: City) -> None:
    crew, _ = await quick.working(capacity=9)
    fresh = (await quick.report())["id"]
    near = (await quick.report(reported_at=ago(450)))["id"]
    late = (await quick.report(reported_at=ago(700)))["id"]
    met = (await quick.report())["id"]
    paused = (await quick.report())["id"]
    cancelled = (await quick.report(reported_at=ago(450)))["id"]
    await quick.override(met, "assign", crew=crew.id)
    await quick.override(paused, "pause", pause_reason="waiting_part")
    await quick.override(cancelled, "cancel")

    def of(found: dict[tuple[str, str], Body], clock: str) -> set[str]:
        return {order for order, name in found if name == clock}

    assert of(await clocks_in(quick, "running"), "hand_down") == {fresh}
    assert of(await clocks_in(quick, "at_risk"), "hand_down") == {near}
    assert of(await clocks_in(quick, "breached"), "hand_down") == {late}
    assert of(await clocks_in(quick, "met"), "hand_down") == {met}
    assert of(await clocks_in(quick, "paused"), "hand_down") == {paused}
    assert of(await clocks_in(quick, "at_risk"), "arrival") == {late}
    breached = (await clocks_in(quick, "breached"))[late, "hand_down"]
    assert breached["remaining_s"] == pytest.approx(-100, abs=5)
    assert (await clocks_in(quick, "paused"))[paused, "hand_down"]["pause_reason"] == "waiting_part"
    everything = (await quick.get("/sla/clocks", limit=500))["items"]
    assert {item["order"] for item in everything} == {fresh, near, late, met, paused}
    due = [item["due_at"] for item in everything]
    assert due == sorted(due)


async def hold_by(city: City, phone: Phone, crew: str, order: str) -> None:
    await city.override(order, "assign", crew=crew)
    await phone.expect("assigned", order=order)


async def test_the_summary_adds_up_by_hand(quick: City) -> None:
    crew, phone = await quick.working(capacity=20)
    start = ago(3600)
    for seconds in (100, 200, 300, 700):  # three in time to be handed down, one too late
        order = (await quick.report(0, reported_at=ago(seconds)))["id"]
        await hold_by(quick, phone, crew.id, order)
    await quick.report(0, reported_at=ago(450))  # nobody has it, and time runs short
    await quick.report(0, reported_at=ago(800))  # nobody has it, and it is too late
    other = (await quick.report(1, reported_at=ago(50)))["id"]
    await hold_by(quick, phone, crew.id, other)
    cancelled = (await quick.report(0, reported_at=ago(30)))["id"]
    await quick.override(cancelled, "cancel")
    too_late = (await quick.report(2, reported_at=ago(700)))["id"]
    await quick.override(too_late, "cancel")

    async def summary(**query: str) -> dict[tuple[str, str], Body]:
        items = (await quick.get("/sla/summary", role="monitor", **query))["items"]
        return {(item["clock"], item["zone"]): item for item in items}

    rows = await summary(**{"from": start})
    row = rows["hand_down", zone_id(0)]
    assert {name: row[name] for name in ("count", "met", "breached", "at_risk")} == {
        "count": 6,
        "met": 3,
        "breached": 2,
        "at_risk": 1,
    }
    assert row["share"] == pytest.approx(3 / 5)
    # Of those that were handed down, after 100, 200, 300 and 700 s.
    assert row["p50"] == pytest.approx(250, abs=4)
    assert row["p90"] == pytest.approx(580, abs=4)
    assert row["p99"] == pytest.approx(688, abs=4)
    there = rows["hand_down", zone_id(1)]
    assert (there["count"], there["met"], there["share"]) == (1, 1, 1.0)
    assert there["p50"] == there["p99"] == pytest.approx(50, abs=4)
    hidden = rows["hand_down", zone_id(2)]
    assert (hidden["count"], hidden["breached"], hidden["share"]) == (1, 1, 0.0), "to cancel does not undo a breach"
    resolve = rows["resolve", zone_id(0)]
    assert (resolve["count"], resolve["met"], resolve["share"], resolve["p50"]) == (6, 0, None, None)
    assert {zone for _, zone in await summary(zone=zone_id(1))} == {zone_id(1)}
    recent = await summary(**{"from": ago(250)})
    assert recent["hand_down", zone_id(0)]["count"] == 2
    assert ("hand_down", zone_id(1)) not in await summary(to=ago(60))
    assert await summary(**{"from": "2999-01-01T00:00:00Z"}) == {}


async def test_an_order_that_is_opened_again_must_be_reached_again_and_keeps_its_first_verdicts(quick: City) -> None:
    crew, phone = await quick.working()
    order = (await quick.report(reported_at=ago(1000)))["id"]  # too late to be handed down, and to be reached
    await hold_by(quick, phone, crew.id, order)
    for to in ("arrived", "resolved"):
        assert "error" not in await phone.progress(order, to)
    again = await quick.post(f"/orders/{order}/rating", {"stars": 1, "resolved": False}, expect=200)
    for name, target_s in (("hand_down", 600), ("arrival", 900)):
        clock = again["clocks"][name]
        assert clock["state"] == "running"
        assert at(clock["due_at"]) - at(clock["started_at"]) == timedelta(seconds=target_s)
        assert again["clocks"][f"{name}#1"]["state"] == "breached"
    assert again["clocks"]["resolve"]["state"] == "running"
    await hold_by(quick, phone, crew.id, order)
    await phone.progress(order, "arrived")

    rows = {row["clock"]: row for row in (await quick.get("/sla/summary", role="monitor"))["items"]}
    for name in ("hand_down", "arrival"):
        assert (rows[name]["count"], rows[name]["met"], rows[name]["breached"]) == (2, 1, 1)
    [today] = (await quick.get("/sla/board", role="monitor"))["today"]
    assert (today["arrival_met"], today["arrival_breached"]) == (0, 1), "an order counts once, by its worst"

    async def both_told() -> bool:
        alarms = (await quick.get("/sla/alarms", role="monitor"))["items"]
        assert all(alarm["stopped_at"] for alarm in alarms)
        return sorted(alarm["clock"] for alarm in alarms) == ["arrival", "hand_down"]

    await until(both_told)


async def test_each_alarm_sounds_once_and_at_its_time(quick: City) -> None:
    console = await quick.console()
    await console.hello()
    order = await quick.report(severity=5)  # 4 s to be handed down, 4.5 s to the door
    await until(lambda: _all_breached(quick, order["id"]), within_s=12)
    await asyncio.sleep(0.5)  # a second alarm would come with the next look, a tenth of a second later
    alarms = [event for event in (await quick.order(order["id"]))["timeline"] if event["kind"].startswith("clock.")]
    assert [(event["kind"], event["data"]["clock"]) for event in alarms] == [
        ("clock.at_risk", "hand_down"),
        ("clock.at_risk", "arrival"),
        ("clock.breached", "hand_down"),
        ("clock.breached", "arrival"),
    ]
    reported = at(order["reported_at"])
    for event, after in zip(alarms, (2.8, 3.15, 4.0, 4.5), strict=True):
        assert event["data"]["deadline"] == order["clocks"][event["data"]["clock"]]["due_at"]
        late = at(event["at"]) - reported - timedelta(seconds=after)
        assert timedelta(0) <= late < timedelta(seconds=10), "never early, and soon also where many processes wait"
    told = [frame["seq"] for frame in console.of("event") if frame["kind"].startswith("clock.")]
    assert told == [event["seq"] for event in alarms]


async def _all_breached(city: City, order: str) -> bool:
    clocks = (await city.order(order))["clocks"]
    return all(clocks[name].get("breached") for name in ("hand_down", "arrival"))


async def test_who_is_in_time_hears_no_alarm_later(quick: City) -> None:
    crew, phone = await quick.working()
    order = (await quick.report(severity=5))["id"]
    await hold_by(quick, phone, crew.id, order)
    assert "error" not in await phone.progress(order, "arrived")
    await asyncio.sleep(4.8)
    whole = await quick.order(order)
    assert [event["kind"] for event in whole["timeline"] if event["kind"].startswith("clock.")] == []
    assert {whole["clocks"][name]["state"] for name in ("hand_down", "arrival")} == {"met"}


async def test_a_pause_stops_the_clocks_and_moves_their_deadlines_by_its_length(quick: City) -> None:
    order = await quick.report()
    await quick.override(order["id"], "pause", pause_reason="resident_absent")
    paused = (await quick.order(order["id"]))["clocks"]["arrival"]
    assert (paused["state"], paused["pause_reason"], paused["due_at"]) == (
        "paused",
        "resident_absent",
        order["clocks"]["arrival"]["due_at"],
    )
    first = (await clocks_in(quick, "paused"))[order["id"], "arrival"]["remaining_s"]
    await asyncio.sleep(0.7)
    assert (await clocks_in(quick, "paused"))[order["id"], "arrival"]["remaining_s"] == first
    resumed = (await quick.override(order["id"], "resume"))["clocks"]["arrival"]
    moved = at(resumed["due_at"]) - at(order["clocks"]["arrival"]["due_at"])
    assert timedelta(seconds=0.7) <= moved < timedelta(seconds=5)
    assert resumed["state"] == "running"
    assert at(resumed["at_risk_at"]) - at(order["clocks"]["arrival"]["at_risk_at"]) == moved
    assert resumed["paused_s"] == pytest.approx(moved.total_seconds(), abs=0.001)


async def test_a_paused_clock_does_not_breach_and_a_breach_is_not_paused_away(quick: City) -> None:
    order = (await quick.report(severity=5))["id"]
    await quick.override(order, "pause", pause_reason="waiting_utility")
    late = (await quick.report(severity=5, reported_at=ago(100)))["id"]

    async def breached() -> bool:
        return (late, "arrival") in await clocks_in(quick, "breached")

    await until(breached)
    await until(lambda: _all_breached(quick, late))
    await quick.override(late, "pause", pause_reason="waiting_utility")
    await asyncio.sleep(4.2)
    assert (await quick.order(order))["clocks"]["hand_down"]["state"] == "paused"
    whole = await quick.order(late)
    assert {whole["clocks"][name]["state"] for name in ("hand_down", "arrival")} == {"breached"}
    assert whole["clocks"]["resolve"]["state"] == "paused"


async def test_another_severity_has_other_targets_from_the_same_start(quick: City) -> None:
    order = await quick.report(severity=2)
    raised = await quick.override(order["id"], "reprioritize", severity=5)
    clock = raised["clocks"]["hand_down"]
    assert at(clock["due_at"]) - at(clock["started_at"]) == timedelta(seconds=4)
    assert clock["started_at"] == order["clocks"]["hand_down"]["started_at"]
