"""The wallboard's routes: figures that events carry on, what is usual, rescues, acknowledgements, a period's report."""

import csv
import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import asyncpg
import pytest

from tests.acceptance.city import City, centre, zone_id
from tests.acceptance.conftest import MakeCity
from tests.acceptance.waiting import until

Body = dict[str, Any]


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def of_zone(rows: list[Body], zone: str | None) -> Body:
    return next(row for row in rows if row["zone"] == zone)


async def breached(city: City, **fields: Any) -> Body:
    """An order whose arrival was breached, and the alarm of it."""
    order = await city.report(**{"reported_at": ago(1000), **fields})

    async def rung() -> bool:
        return len((await city.get("/sla/alarms", order=order["id"]))["items"]) == 2

    await until(rung)
    items = (await city.get("/sla/alarms", order=order["id"]))["items"]
    return next(item for item in items if item["clock"] == "arrival")


async def test_the_board_counts_by_hand_and_names_its_place_in_the_log(quick: City) -> None:
    crew, phone = await quick.working(capacity=9)
    held = (await quick.report(0, reported_at=ago(120)))["id"]
    await quick.override(held, "assign", crew=crew.id)
    await phone.expect("assigned", order=held)
    assert "error" not in await phone.progress(held, "arrived")
    await breached(quick)
    await quick.report(1)
    board = await quick.get("/sla/board", role="monitor")
    row = of_zone(board["week"], zone_id(0))
    assert {name: row[name] for name in row if name != "zone"} == {
        "reports": 2,
        "hand_down_met": 1,
        "hand_down_breached": 1,
        "arrival_met": 1,
        "arrival_breached": 1,
        "grab": 0,
        "optimizer": 0,
        "dispatcher": 1,
    }
    assert of_zone(board["week"], zone_id(1))["reports"] == 1
    assert board["seq"] == (await quick.events())[-1]["seq"]
    orders = {order["order"]: order for order in board["orders"]}
    assert len(orders) == 3
    assert (orders[held]["hand_down"], orders[held]["arrival"], orders[held]["claimed_by"]) == (
        "met",
        "met",
        "dispatcher",
    )
    assert orders[held]["arrival_s"] == pytest.approx(121, abs=5)
    assert board["targets"]["arrival"]["2"] == 900
    assert board["time_zone"] == "Asia/Shanghai"
    begun = datetime.fromisoformat(board["today_from"])
    assert (begun + timedelta(hours=8)).strftime("%H:%M") == "00:00"
    if datetime.now(UTC) - begun > timedelta(seconds=1100):  # it is not just past the city's midnight
        assert board["today"] == board["week"] or begun > datetime.fromisoformat(board["week_from"])
        assert board["arrivals"][2] == 1


async def test_the_summary_also_has_the_whole_city(quick: City) -> None:
    for column in (0, 1):
        await quick.report(column, reported_at=ago(700))
    answer = await quick.get("/sla/summary", role="monitor")
    whole = next(row for row in answer["all"] if row["clock"] == "hand_down")
    assert (whole["zone"], whole["count"], whole["breached"], whole["share"]) == (None, 2, 2, 0.0)
    assert {row["zone"] for row in answer["items"]} == {zone_id(0), zone_id(1)}


async def test_hours_are_honest_about_a_city_without_history(quick: City) -> None:
    await quick.report()
    hours = await quick.get("/sla/hours", role="monitor")
    assert (hours["usual_from"], hours["usual_days"]) == (None, 0)
    assert len(hours["items"]) == 24
    assert sum(hour["count"] for hour in hours["items"]) == 1
    assert all(hour["usual"] is None for hour in hours["items"])


async def test_hours_know_what_is_usual_by_the_days_before(quick: City) -> None:
    begun = datetime.fromisoformat((await quick.get("/sla/hours"))["items"][0]["hour"])
    for days in (6, 4, 3, 2):
        for _ in range(days):
            await quick.report(reported_at=(begun - timedelta(days=days) + timedelta(hours=8)).isoformat())
    hours = await quick.get("/sla/hours")
    assert hours["usual_days"] == 5, "the day of the very first report is no whole day"
    assert hours["items"][8]["usual"] == {
        "p10": 0.0,
        "p50": 2.0,
        "p90": 3.6,
        "days": 5,
        "of": "all",
    }  # of 0, 0, 2, 3, 4
    assert hours["items"][9]["usual"]["p90"] == 0.0


async def test_hours_are_held_against_the_same_weekday_in_a_city_that_has_four_of_it(quick: City) -> None:
    begun = datetime.fromisoformat((await quick.get("/sla/hours"))["items"][0]["hour"])
    for days in (35, 21, 7, 6, 5, 4, 3, 2, 1):
        for _ in range(2 if days % 7 else 1):
            await quick.report(reported_at=(begun - timedelta(days=days) + timedelta(hours=8)).isoformat())
    hours = await quick.get("/sla/hours")
    assert hours["usual_days"] == 28
    usual = hours["items"][8]["usual"]
    assert (usual["p50"], usual["p90"]) == (0.5, 1.0), "of 0, 1, 0, 1 a week apart, whatever the last days were like"
    assert (usual["days"], usual["of"]) == (4, "weekday")
    others = (await quick.get("/sla/hours", days=27))["items"][8]["usual"]
    assert (others["days"], others["of"]) == (27, "all")
    book = await quick.call("GET", "/sla/report", params={"format": "xlsx"})
    assert cells(zipfile.ZipFile(io.BytesIO(book.content)), 2)[9][5] == "同星期 4 天"


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("/sla/hours", {"from": "2026-01-15T00:00:00"}, "/from"),
        ("/sla/hours", {"from": "2026-01-15T00:00:00Z", "to": "2026-01-14T00:00:00Z"}, "/to"),
        ("/sla/hours", {"days": "0"}, "/days"),
        ("/sla/report", {"from": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"}, "/to"),
        ("/sla/report", {"format": "pdf"}, "/format"),
        ("/sla/report", {"format": "csv", "from": "yesterday"}, "/from"),
        ("/sla/alarms", {"cursor": "nonsense"}, "/cursor"),
        ("/sla/alarms", {"acknowledged": "perhaps"}, "/acknowledged"),
        ("/sla/endangered", {"within_s": "-1"}, "/within_s"),
    ],
)
async def test_wrong_questions_are_refused_by_name(city: City, path: str, query: Body, pointer: str) -> None:
    answer = await city.call("GET", path, role="monitor", params=query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_what_runs_out_names_who_could_still_save_it(quick: City) -> None:
    lon, lat = centre(0)
    near, _ = await quick.working(name="近", at=(lon, lat))
    far, _ = await quick.working(name="远", at=(lon + 0.2, lat))
    order = (await quick.report(reported_at=ago(500)))["id"]
    await quick.report()  # has its ten minutes yet
    found = await quick.get("/sla/endangered", role="monitor", within_s=450)
    assert [(row["order"], row["clock"]) for row in found["items"]] == [(order, "hand_down"), (order, "arrival")]
    arrival = found["items"][1]["prospect"]
    assert arrival["verdict"] == "can_be_saved"
    assert [(rescue["crew"], rescue["in_time"]) for rescue in arrival["rescues"]] == [(near.id, True), (far.id, False)]
    await quick.override(order, "assign", crew=near.id)

    async def held() -> bool:
        items = (await quick.get("/sla/endangered", within_s=450))["items"]
        return [row["prospect"]["verdict"] for row in items] == ["holder_in_time"]

    await until(held)
    assert (await quick.get("/sla/endangered", within_s=450, limit=1))["total"] == 1


async def test_a_breach_is_acknowledged_once_and_its_notes_stay_out_of_the_log(quick: City) -> None:
    console = await quick.console("monitor")
    await console.hello()
    alarm = await breached(quick)
    named = {"clock": alarm["clock"], "deadline": alarm["deadline"]}
    path = f"/orders/{alarm['order']}/acknowledge"
    seen = await quick.post(path, {**named, "note": "已联系王师傅 13800000000"}, role="monitor", expect=200)
    assert [note["note"] for note in seen["notes"]] == ["已联系王师傅 13800000000"]
    event = await console.expect("event", kind="alarm.acknowledged", order=alarm["order"])
    assert (event["data"]["clock"], event["data"]["alarm"]) == ("arrival", "breached")
    assert event["data"]["order"]["id"] == alarm["order"]
    again = await quick.post(path, named, role="dispatcher", expect=200)
    assert len(again["notes"]) == 1, "nothing new was said"
    more = await quick.post(path, {**named, "note": "已到场"}, role="dispatcher", expect=200)
    assert [note["note"] for note in more["notes"]][1:] == ["已到场"]
    assert "13800000000" not in str(await quick.events())
    open_ones = (await quick.get("/sla/alarms", acknowledged="false"))["items"]
    assert [(item["order"], item["clock"]) for item in open_ones] == [(alarm["order"], "hand_down")]
    done = (await quick.get("/sla/alarms", acknowledged="true"))["items"]
    assert [item["clock"] for item in done] == ["arrival"]
    kinds = [event["kind"] for event in (await quick.order(alarm["order"]))["timeline"]]
    assert kinds.count("alarm.acknowledged") == 2


async def test_an_acknowledgement_under_one_key_is_said_once(quick: City) -> None:
    alarm = await breached(quick)
    body = {"clock": alarm["clock"], "deadline": alarm["deadline"], "note": "看到了"}
    for _ in range(2):
        answer = await quick.post(
            f"/orders/{alarm['order']}/acknowledge", body, expect=200, headers={"Idempotency-Key": "k"}
        )
        assert len(answer["notes"]) == 1


async def test_an_alarm_that_never_was_cannot_be_acknowledged(quick: City) -> None:
    order = await quick.report()
    due_at = order["clocks"]["arrival"]["due_at"]
    path = f"/orders/{order['id']}/acknowledge"
    answer = await quick.call("POST", path, json={"clock": "arrival", "deadline": due_at})
    assert (answer.status_code, answer.json()["code"]) == (409, "impossible")
    answer = await quick.call("POST", path, json={"clock": "lunch", "deadline": due_at})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/clock")
    answer = await quick.call("POST", path, json={"clock": "arrival", "deadline": "2026-01-15T08:00:00"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/deadline")


async def test_alarms_come_in_pages_without_a_double(quick: City) -> None:
    for _ in range(3):
        await breached(quick)
    seen, cursor = [], None
    while True:
        page = await quick.get("/sla/alarms", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [(item["order"], item["clock"]) for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 6


async def test_the_report_as_json_agrees_with_the_summary(quick: City) -> None:
    alarm = await breached(quick)
    since = ago(7200)
    report = await quick.get("/sla/report", role="monitor", **{"from": since, "to": ago(-60)})
    summary = await quick.get("/sla/summary", role="monitor", **{"from": since})
    assert (report["clocks"], report["zones"]) == (summary["all"], summary["items"])
    assert report["reports"] == sum(hour["count"] for hour in report["hours"]) == 1
    assert report["claims"] == {"nobody": 1}
    assert {item["deadline"] for item in report["breaches"]} >= {alarm["deadline"]}


async def test_the_ledger_as_csv_opens_in_a_spreadsheet_and_holds_no_formula(quick: City) -> None:
    crew, _ = await quick.working(name='=HYPERLINK("http://x","y")')
    order = (await quick.report(reported_at=ago(60), address={"text": '@SUM(A1)，"3栋"\n501'}))["id"]
    await quick.override(order, "assign", crew=crew.id)
    await quick.report(category="leak")
    answer = await quick.call("GET", "/sla/report", params={"format": "csv", "from": ago(3600), "to": ago(-60)})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].endswith('.csv"')
    assert answer.content.startswith(b"\xef\xbb\xbf")
    first, second = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert (first["工单号"], first["片区"], first["故障"]) == (order, "片区 0-0", "完全不热")
    assert (first["班组"], first["地址"]) == ('\'=HYPERLINK("http://x","y")', '\'@SUM(A1)，"3栋"\n501')
    assert (first["接单方式"], first["接单时限"], first["到场时限"]) == ("调度员指派", "按时", "")
    assert float(first["接单用时（分）"]) == pytest.approx(1.0, abs=0.1)
    local = datetime.now(UTC) + timedelta(hours=8)
    assert second["报修时间"].startswith(local.strftime("%Y-%m-%d "))
    assert second["故障"] == "跑冒滴漏"


def cells(book: zipfile.ZipFile, sheet: int) -> list[list[str]]:
    """The texts of a sheet, whose strings are written in place."""
    space = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    rows = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml")).iterfind(".//s:row", space)
    return [["".join(cell.itertext()) for cell in row.iterfind("s:c", space)] for row in rows]


async def test_the_report_as_xlsx_opens_and_its_texts_stay_texts(quick: City) -> None:
    order = (await quick.report(address={"text": "=1+1"}, reported_at=ago(700)))["id"]
    answer = await quick.call("GET", "/sla/report", params={"format": "xlsx", "from": ago(3600), "to": ago(-60)})
    assert answer.status_code == 200, answer.text
    book = zipfile.ZipFile(io.BytesIO(answer.content))
    assert book.testzip() is None
    sums, hours, ledger = (cells(book, sheet) for sheet in (1, 2, 3))
    assert sums[0][:3] == ["时限", "片区", "工单"]
    assert ["接单", "全市", "1", "0", "1", "0", "0"] in [row[:7] for row in sums]
    assert len(hours) in (2, 3)
    assert ledger[0][0] == "工单号"
    assert ledger[1][0] == order
    assert "=1+1" in ledger[1]
    assert b"<f>" not in book.read("xl/worksheets/sheet3.xml")


async def test_a_long_ledger_comes_whole(quick: City) -> None:
    connection = await asyncpg.connect(quick.installation.database_url)
    try:
        await connection.execute(
            """INSERT INTO orders (city_id, order_id, version, state, cycle, category, severity, required_skills,
                                   reported_at, clocks)
            SELECT $1, 'o' || n, 1, 'closed', 1, 'leak', 1, '{}', now() - interval '1 hour' + n / 3 * interval '1 s',
                   '{}' FROM generate_series(1, 2500) AS n""",
            quick.id,
        )
    finally:
        await connection.close()
    query = {"from": ago(7200), "to": ago(0)}
    answer = await quick.call("GET", "/sla/report", params={"format": "csv", **query})
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len({row["工单号"] for row in rows}) == len(rows) == 2500
    assert [row["报修时间"] for row in rows] == sorted(row["报修时间"] for row in rows)


async def test_the_wallboard_shows_nothing_of_another_city(make_city: MakeCity) -> None:
    ours: City = await make_city()
    theirs: City = await make_city({"mode": "first", "assign_after_s": 600})
    alarm = await breached(theirs)
    board = await ours.get("/sla/board")
    assert (board["orders"], board["week"], sum(board["arrivals"])) == ([], [], 0)
    assert (await ours.get("/sla/alarms"))["items"] == []
    assert (await ours.get("/sla/endangered"))["items"] == []
    assert (await ours.get("/sla/report"))["reports"] == 0
    answer = await ours.call("GET", "/sla/report", params={"format": "csv"})
    assert alarm["order"] not in answer.text
