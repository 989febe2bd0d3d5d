"""`qiangdan reports import` against a real database: what is taken, what is told, and that nothing is taken twice."""

import asyncio
import csv
import json
import sys
from pathlib import Path

import asyncpg
import pytest

from dispatch.cities import ensure_first_city
from dispatch.config import Settings
from dispatch.demo.city import generate_city
from dispatch.errors import NotFound
from dispatch.importing import BATCH, import_reports
from dispatch.report_files import FileUnreadable
from dispatch.store import Database
from dispatch.zoning import replace_zones

CITY = generate_city(1)
HOME = CITY.compounds[0]


@pytest.fixture
async def city(database: str) -> str:
    """A database with the demo's zones in the first city."""
    connection = await asyncpg.connect(database)
    await ensure_first_city(connection)
    await connection.close()
    db = Database(database, size=1)
    await db.run("default", lambda tx: replace_zones(tx, CITY.zones, zones=len(CITY.zone_ids), actor="test"))
    await db.close()
    return database


async def take(url: str, file: Path, *, city: str = "default") -> int:
    return await asyncio.to_thread(import_reports, Settings(), url, file, city=city)


async def rows(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


ORDERS = """
SELECT r.channel, r.external_id, o.* FROM report AS r JOIN orders AS o USING (city_id, order_id) ORDER BY r.external_id
"""


async def test_a_csv_line_becomes_a_report_with_an_order_in_its_zone(city: str, tmp_path: Path) -> None:
    file = tmp_path / "reports.csv"
    file.write_text(
        "external_id,channel,category,severity,lon,lat,crs,contact_name,contact_phone,address,required_skills,"
        "reported_at,description\n"
        f"a1,12345,leak,4,{HOME.lon},{HOME.lat},,王桂兰,12000000000,松江家园3栋,pipework; welding,"
        '2026-01-15T08:30:00+08:00,"漏水, 快来"\n'
        f'a2,12345,no_heat,,,,,,,"{{""text"": ""文昌街"", ""room"": ""301""}}",,,\n',
        encoding="utf-8-sig",
    )
    assert await take(city, file) == 0
    placed, unplaced = await rows(city, ORDERS)
    assert (placed["state"], placed["zone"], placed["severity"]) == ("offered", HOME.zone, 4)
    assert placed["required_skills"] == ["pipework", "welding"]
    assert json.loads(placed["contact"]) == {"name": "王桂兰", "phone": "12000000000"}
    assert json.loads(placed["address"]) == {"text": "松江家园3栋"}
    assert placed["description"] == "漏水, 快来"
    assert placed["reported_at"].isoformat() == "2026-01-15T00:30:00+00:00"
    assert unplaced["state"] == "unzoned"
    assert json.loads(unplaced["address"]) == {"text": "文昌街", "room": "301"}


async def test_json_lines_are_the_bodies_of_post_reports(city: str, tmp_path: Path) -> None:
    file = tmp_path / "reports.jsonl"
    body = {"channel": "wechat", "category": "leak", "location": {"lon": HOME.lon, "lat": HOME.lat}}
    file.write_text(f"{json.dumps(body)}\n\n{json.dumps({**body, 'external_id': 'b2'})}\n", encoding="utf-8")
    assert await take(city, file) == 0
    assert [row["zone"] for row in await rows(city, ORDERS)] == [HOME.zone, HOME.zone]


async def test_lines_that_cannot_be_taken_are_listed_with_line_field_and_reason(
    city: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "reports.csv"
    file.write_text(
        "channel,category,severity,lon,lat,reported_at,description\n"
        "wechat,leak,9,,,,\n"
        "wechat,leak,,126.6,,,\n"
        "wechat,leak,,,,2026-01-15T08:30:00,\n"
        ",leak,,,,,\n"
        'wechat,leak,,,,,"two\nlines"\n'
        "wechat,leak,,,,,too,many\n"
        "wechat,leak,,,,,fine\n"
        'wechat,leak,,,,,"never closed\n',
        encoding="utf-8",
    )
    assert await take(city, file) == 1
    with (tmp_path / "reports.csv.rejected.csv").open(encoding="utf-8-sig", newline="") as opened:
        found = [(int(row["line"]), row["field"]) for row in csv.DictReader(opened)]
    assert found == [(2, "severity"), (3, "lat"), (4, "reported_at"), (5, "channel"), (8, ""), (10, "")]
    told = capsys.readouterr().out
    assert "2 reports taken" in told and "6 rejected" in told and "line 2: severity:" in told
    assert [row["description"] for row in await rows(city, "SELECT description FROM orders ORDER BY 1")] == [
        "fine",
        "two\nlines",
    ]


async def test_a_second_run_takes_nothing_twice_also_where_lines_have_no_id_or_others_were_mended(
    city: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "reports.csv"
    lines = [
        "channel,category,external_id,severity",
        "wechat,leak,x1,",
        "wechat,leak,,",
        "wechat,leak,,",
        "wechat,a,,7",
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert await take(city, file) == 1
    assert await take(city, file) == 1
    file.write_text("\n".join([lines[0], "wechat,a,,5", *lines[1:4]]), encoding="utf-8")
    assert await take(city, file) == 0
    assert len(await rows(city, "SELECT 1 FROM report")) == 4
    assert "1 reports taken, 3 had been taken before, 0 rejected" in capsys.readouterr().out


async def test_two_imports_of_one_file_at_once_take_each_report_once(city: str, tmp_path: Path) -> None:
    file = tmp_path / "reports.csv"
    file.write_text("channel,category\n" + "".join(f"wechat,fault-{n % 90}\n" for n in range(300)), encoding="utf-8")
    first, second = await asyncio.gather(take(city, file), take(city, file))
    assert (first, second) == (0, 0)
    assert len(await rows(city, "SELECT 1 FROM report")) == 300
    assert len(await rows(city, "SELECT 1 FROM orders")) == 300


async def test_many_batches_are_told_by_the_log_without_a_gap(city: str, tmp_path: Path) -> None:
    file, reports = tmp_path / "reports.csv", 7 * BATCH + 1
    with file.open("w", encoding="utf-8", newline="") as opened:
        out = csv.writer(opened)
        out.writerow(("channel", "category", "external_id", "lon", "lat", "crs"))
        for n in range(reports):
            home = CITY.compounds[n % len(CITY.compounds)]
            out.writerow(("hotline_12345", "no_heat", f"n{n}", home.lon, home.lat, "wgs84"))
    assert await take(city, file) == 0
    [log] = await rows(city, "SELECT count(*) AS n, max(seq) AS last FROM event WHERE city_id = 'default'")
    assert log["n"] == log["last"] >= 2 * reports
    assert len(await rows(city, "SELECT 1 FROM orders WHERE state = 'offered'")) == reports


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("a.csv", "channel,category,description\nwechat,leak,暖气不热\n".encode("gbk"), "GBK"),
        ("b.csv", b"channel,category\nwechat,\xff\xff\n", "is not UTF-8"),
        ("c.csv", b"channel,category,colour\n", "'colour'"),
        ("d.csv", b"channel,lon,lat\n", "no column 'category'"),
        ("e.csv", b"", "no column 'channel'"),
    ],
)
async def test_a_file_that_is_none_of_reports_is_refused_in_one_sentence(
    city: str, tmp_path: Path, name: str, raw: bytes, says: str
) -> None:
    file = tmp_path / name
    file.write_bytes(raw)
    with pytest.raises(FileUnreadable, match=says):
        await take(city, file)


async def test_a_city_that_does_not_exist_takes_no_reports(city: str, tmp_path: Path) -> None:
    file = tmp_path / "reports.csv"
    file.write_text("channel,category\nwechat,leak\n", encoding="utf-8")
    with pytest.raises(NotFound):
        await take(city, file, city="atlantis")


async def test_the_command_says_where_the_cities_are_listed(city: str, tmp_path: Path) -> None:
    file = tmp_path / "reports.csv"
    file.write_text("channel,category\nwechat,leak\n", encoding="utf-8")
    command = [sys.executable, "-m", "dispatch.cli", "reports", "import", str(file), "--database-url", city]
    running = await asyncio.create_subprocess_exec(*command, "--city", "atlantis", stderr=asyncio.subprocess.PIPE)
    _, err = await running.communicate()
    assert running.returncode == 1
    assert "There is no city atlantis: see 'qiangdan city list'." in err.decode()
