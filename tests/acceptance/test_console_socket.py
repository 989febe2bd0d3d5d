"""The console socket: a snapshot, then every event in order and without a gap, and positions once a second."""

import contextlib
import itertools
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.acceptance.city import City, centre, zone_id
from tests.acceptance.sockets import Console, Frame
from tests.acceptance.waiting import until


async def busy(city: City) -> None:
    """Something happens in the city: crews, orders, grabs, overrides."""
    crew, phone = await city.working(capacity=5)
    for column in range(3):
        order = (await city.report(column))["id"]
        if column == 0:
            await phone.expect("offer", order=order)
            await phone.verdict(order)
            await phone.progress(order, "en_route")
        else:
            await city.override(order, "assign", crew=crew.id)
            await city.override(order, "revoke")
    await city.report(location=None)


async def up_to_date(console: Console, city: City) -> None:
    """The console has heard of everything that has happened by now."""
    last = len(await city.events())
    await until(lambda: _heard(console, last))


async def _heard(console: Console, last: int) -> bool:
    return bool(console.seqs()) and console.seqs()[-1] >= last


@pytest.mark.parametrize("other_engine", [False, True])
async def test_a_snapshot_and_then_the_rows_of_events_without_a_gap(quick: City, other_engine: bool) -> None:
    held = (await quick.report())["id"]
    await quick.override(held, "hold")
    await quick.override((await quick.report(1))["id"], "cancel")
    crew = await quick.crew()
    console = await quick.console("monitor", other_engine=other_engine)
    snapshot = await console.hello()
    assert snapshot["resumed"] is False
    assert snapshot["epoch"]
    assert snapshot["seq"] == len(await quick.events())
    assert [(order["id"], order["state"]) for order in snapshot["orders"]] == [(held, "held")]
    assert [(c["id"], c["state"]) for c in snapshot["crews"]] == [(crew.id, "off")]
    await busy(quick)
    await up_to_date(console, quick)
    rows = await quick.events(after=snapshot["seq"])
    assert [{name: value for name, value in f.items() if name != "type"} for f in console.of("event")] == rows
    assert console.seqs() == list(range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(rows)))


async def test_snapshot_and_events_together_are_a_fresh_snapshot(quick: City) -> None:
    console = await quick.console()
    orders = {order["id"]: order for order in (await console.hello())["orders"]}
    await busy(quick)
    await up_to_date(console, quick)
    for frame in console.of("event"):
        if "order" in frame:
            orders[frame["order"]] = frame["data"]["order"]
    done = {"resolved", "closed", "merged", "cancelled"}
    fresh = await (await quick.console()).hello()
    assert {order["id"]: order for order in fresh["orders"]} == {
        id: order for id, order in orders.items() if order["state"] not in done
    }


async def test_a_console_resumes_where_it_was(quick: City) -> None:
    first = await quick.console()
    snapshot = await first.hello()
    await quick.report()
    await up_to_date(first, quick)
    seen = first.seqs()[-1]
    await first.connection.close()
    await busy(quick)
    back = await quick.console()
    again = await back.hello(resume_after=seen, epoch=snapshot["epoch"])
    assert (again["resumed"], again["seq"]) == (True, seen)
    await quick.report()
    await up_to_date(back, quick)
    assert back.seqs() == list(range(seen + 1, len(await quick.events()) + 1))


async def test_a_long_absence_is_told_whole_no_faster_than_it_is_read(quick: City) -> None:
    order = (await quick.report())["id"]
    seen = len(await quick.events())
    word = {"order": order, "action": "reprioritize", "reason": "长" * 2000}
    batch = [{**word, "severity": 1 + n % 2} for n in range(150)]
    for _ in range(6):
        await quick.post("/overrides", batch, expect=200)
    console = await quick.console(other_engine=True)
    await console.say("hello", resume_after=seen)
    time.sleep(0.5)  # this screen, and all of this process, stand still
    assert (await console.expect("snapshot"))["resumed"] is True
    await up_to_date(console, quick)
    assert console.seqs() == list(range(seen + 1, seen + 901))


@pytest.mark.parametrize("asked", [{"resume_after": 10**6}, {"resume_after": 1, "epoch": "another"}])
async def test_where_a_console_cannot_resume_it_gets_a_snapshot(quick: City, asked: dict[str, Any]) -> None:
    order = (await quick.report())["id"]
    snapshot = await (await quick.console()).hello(**asked)
    assert snapshot["resumed"] is False
    assert [o["id"] for o in snapshot["orders"]] == [order]


def inside(frame: Frame) -> str:
    zone: str = frame["data"]["order"]["zone"]
    return zone


async def test_a_console_of_some_zones_hears_of_those(quick: City) -> None:
    mine, other = (await quick.report(0))["id"], (await quick.report(3))["id"]
    here, _ = await quick.working(0)
    await quick.working(3)
    console = await quick.console()
    snapshot = await console.hello(zones=[zone_id(0), zone_id(1)])
    assert [order["id"] for order in snapshot["orders"]] == [mine]
    assert [crew["id"] for crew in snapshot["crews"]] == [here.id]
    for column in (3, 1, 2, 0):
        await quick.report(column)
    await console.expect("event", where=lambda f: "order" in f and inside(f) == zone_id(0))
    await console.settle()
    assert {inside(frame) for frame in console.of("event") if "order" in frame} == {zone_id(0), zone_id(1)}
    assert other not in str(console.frames)


async def test_a_console_of_a_box_hears_of_what_lies_in_it(quick: City) -> None:
    mine = (await quick.report(0))["id"]
    await quick.report(3)
    await quick.report(location=None)
    lon, lat = centre(0)
    console = await quick.console()
    snapshot = await console.hello(bbox=[lon - 0.001, lat - 0.001, lon + 0.001, lat + 0.001])
    assert [order["id"] for order in snapshot["orders"]] == [mine]
    await quick.report(3)
    second = (await quick.report(0))["id"]
    await console.expect("event", order=second)
    await console.settle()
    assert {frame["order"] for frame in console.of("event") if "order" in frame} == {second}


@pytest.mark.parametrize("resumed", [False, True])
async def test_a_console_hears_of_an_order_that_leaves_its_zones(quick: City, resumed: bool) -> None:
    order = (await quick.report(0))["id"]
    console = await quick.console()
    snapshot = await console.hello(zones=[zone_id(0)])
    if resumed:
        await console.connection.close()
    lon, lat = centre(3)
    await quick.override(order, "move", location={"lon": lon, "lat": lat})
    if resumed:
        console = await quick.console()
        await console.hello(zones=[zone_id(0)], resume_after=snapshot["seq"])
    moved = await console.expect("event", order=order, where=lambda frame: frame["kind"] == "order.moved")
    assert inside(moved) == zone_id(3)
    await quick.override(order, "hold")
    last = await quick.report(0)
    await console.expect("event", order=last["id"])
    assert "order.held" not in [frame["kind"] for frame in console.of("event")], "it is another console's now"


async def test_positions_come_in_batches_at_most_one_a_second_the_newest_of_each_crew(quick: City) -> None:
    crews = [await quick.working(0) for _ in range(3)]
    console = await quick.console()
    await console.hello()
    lon, lat = centre(1)
    for step in range(30):
        for _, phone in crews:
            await phone.at(lon + step / 100_000, lat)
        for _, phone in crews:
            await phone.settle()
    last = round(lon + 29 / 100_000, 7)

    async def all_there() -> bool:
        newest = {fix["crew"]: fix["lon"] for frame in console.of("positions") for fix in frame["positions"]}
        return newest == {crew.id: last for crew, _ in crews}

    await until(all_there)
    batches = [at for frame, at in zip(console.frames, console.arrived, strict=True) if frame["type"] == "positions"]
    assert all(later - earlier > 0.8 for earlier, later in itertools.pairwise(batches))
    for frame in console.of("positions"):
        names = [fix["crew"] for fix in frame["positions"]]
        assert len(names) == len(set(names))


async def test_positions_pass_the_filters_and_the_other_engine(quick: City) -> None:
    here_crew, here = await quick.working(0)
    there_crew, there = await quick.working(3)
    console = await quick.console(other_engine=True)
    lon, lat = centre(0)
    await console.hello(bbox=[lon - 0.002, lat - 0.002, lon + 0.002, lat + 0.002])
    await there.at(*centre(3))
    await here.at(lon + 0.001, lat)

    async def shown() -> bool:
        return here_crew.id in str(console.of("positions"))

    await until(shown)
    assert there_crew.id not in str(console.of("positions"))


async def test_off_shift_nobody_is_seen(quick: City) -> None:
    crew, phone = await quick.working(0)
    console = await quick.console()
    await console.hello()
    await phone.say("shift", on=False)
    await console.expect("event", crew=crew.id, where=lambda frame: frame["kind"] == "crew.shift_ended")
    await phone.at(*centre(2))
    await phone.settle()
    fresh = await (await quick.console()).hello()
    assert [(c["state"], c["position"]) for c in fresh["crews"]] == [("off", None)]


UNREADABLE: list[tuple[str | bytes, str]] = [
    (b'{"type":"ping"}', "text frames"),
    ("{", ""),
    ("[]", ""),
    ('{"type":"dance"}', "dance"),
    ('{"type":"hello","zones":"z00"}', "zones"),
    ('{"type":"hello","zones":[7]}', "zones"),
    ('{"type":"hello","bbox":[1,2,3]}', "bbox"),
    ('{"type":"hello","bbox":[1,2,3,NaN]}', "bbox"),
    ('{"type":"hello","bbox":[126.7,45.7,126.6,45.8]}', "bbox"),
    ('{"type":"hello","bbox":[126.6,45.8,126.7,45.7]}', "bbox"),
    ('{"type":"hello","bbox":[126.6,45.7,226.7,45.8]}', "bbox"),
    ('{"type":"hello","resume_after":-1}', "resume_after"),
    ('{"type":"ping","x":"\\ud800"}', "x"),
    ('{"type":"ping","x":' + "[" * 20000 + "]" * 20000 + "}", ""),
]


@pytest.mark.parametrize(("frame", "word"), UNREADABLE)
async def test_what_a_console_cannot_mean_is_an_error_and_the_socket_stays(
    quick: City, frame: str | bytes, word: str
) -> None:
    console = await quick.console()
    await console.connection.send(frame)
    error = await console.expect("error")
    assert error["code"]
    assert word in error["detail"]
    await console.settle()
    await console.hello()


async def test_a_zone_that_nobody_knows_is_named_and_the_rest_is_shown(quick: City) -> None:
    order = await quick.report(0)
    await quick.report(1)
    console = await quick.console()
    snapshot = await console.hello(zones=[zone_id(0), "atlantis", "utopia"])
    assert [shown["id"] for shown in snapshot["orders"]] == [order["id"]]
    error = await console.expect("error")
    assert "zones: the map in force has no atlantis and 1 more" in error["detail"]
    later = await quick.report(0)
    await console.expect("event", order=later["id"])


async def test_a_bad_token_closes_4401(quick: City) -> None:
    inside = quick.installation
    async with await Console.open(inside.url, inside.asyncapi) as console:
        await console.say("hello", token="wrong")
        assert await console.closing() == 4401
    async with await Console.open(inside.url, inside.asyncapi, token="wrong") as console:
        with contextlib.suppress(ConnectionClosed):
            await console.say("hello")
        assert await console.closing() == 4401


async def test_two_consoles_of_one_person_do_not_disturb_each_other(quick: City) -> None:
    first, second = await quick.console(), await quick.console()
    await first.hello()
    await second.hello()
    order = (await quick.report())["id"]
    for console in (first, second):
        await console.expect("event", order=order)
