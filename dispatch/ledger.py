"""The ledger (台账) of a period: an order is a row of cells under Chinese headings. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from crew_client.protocol.words import CHANNELS, CLAIMS, CLOCKS, FAULTS, STATES

Cell = str | int | float | datetime | None
"""A datetime is the wall clock of the city, without an offset, as spreadsheets have it."""

LEDGER = (
    "工单号",
    "报修时间",
    "来源",
    "片区",
    "故障",
    "等级",
    "状态",
    "地址",
    "班组",
    "接单方式",
    "接单用时（分）",
    "接单时限",
    "到场用时（分）",
    "到场时限",
    "到场核实",
    "办结用时（分）",
    "办结时限",
    "接单暂停（分）",
    "到场暂停（分）",
    "办结暂停（分）",
    "评价（星）",
    "超时说明",
)
SUMS = (
    "时限",
    "片区",
    "工单",
    "按时",
    "超时",
    "临近超时",
    "按时率",
    "中位用时（分）",
    "九成用时（分）",
    "99% 用时（分）",
)
HOURS = ("时段", "报修", "往日中位", "往日低（10%）", "往日高（90%）", "往日依据")
USUAL_OF = {"weekday": "同星期", "all": "每日"}

VERDICTS = {"met": "按时", "breached": "超时"}
MOST_LETTERS = 32_767
"""What a cell of a spreadsheet can hold."""


def order_row(row: Mapping[str, Any], names: Mapping[str, str], zone: ZoneInfo) -> list[Cell]:
    """Return the cells of `LEDGER` for a row of the query of that name; `names` has what zones are called."""
    return [
        row["order_id"],
        wall_clock(row["reported_at"], zone),
        _word(CHANNELS, row["channel"]),
        _word(names, row["zone"]),
        _word(FAULTS, row["category"]),
        row["severity"],
        _word(STATES, row["state"]),
        _address(row["address"]),
        _text(row["crew"]),
        _word(CLAIMS, row["claimed_by"]),
        minutes(row["hand_down_s"]),
        _word(VERDICTS, row["hand_down"]),
        minutes(row["arrival_s"]),
        _word(VERDICTS, row["arrival"]),
        None if row["arrival_s"] is None else "未核实" if row["unverified"] else "已核实",
        minutes(row["resolve_s"]),
        _word(VERDICTS, row["resolve"]),
        minutes(row["hand_down_paused_s"] or None),
        minutes(row["arrival_paused_s"] or None),
        minutes(row["resolve_paused_s"] or None),
        row["stars"],
        _text(row["notes"]),
    ]


def sum_row(row: Any, names: Mapping[str, str], *, whole: bool = False) -> list[Cell]:
    """Return the cells of `SUMS` for one clock of one zone, or of the whole city."""
    return [
        _word(CLOCKS, row.clock),
        "全市" if whole else _word(names, row.zone) or "无片区",
        row.count,
        row.met,
        row.breached,
        row.at_risk,
        row.share,
        minutes(row.p50),
        minutes(row.p90),
        minutes(row.p99),
    ]


def hour_row(hour: Any, zone: ZoneInfo) -> list[Cell]:
    """Return the cells of `HOURS` for one hour."""
    usual = hour.usual
    of_usual = (usual.p50, usual.p10, usual.p90, f"{USUAL_OF[usual.of]} {usual.days} 天") if usual else (None,) * 4
    return [wall_clock(hour.hour, zone), hour.count, *of_usual]


def wall_clock(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a moment as the city's clocks show it, to the second."""
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0)


def minutes(seconds: float | None) -> float | None:
    """Return seconds as minutes with one decimal."""
    return None if seconds is None else round(seconds / 60, 1)


def safe_text(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula when it reads CSV.

    Source: OWASP, CSV Injection. An apostrophe goes before `=`, `+`, `-`, `@` (also full-width), tab and return.
    """
    return (
        f"'{text}" if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") else text
    )


def csv_cells(row: Sequence[Cell]) -> list[Cell]:
    """Return a row as CSV has it: no text that is a formula, times as spreadsheets read them."""
    return [
        safe_text(cell) if isinstance(cell, str) else cell.isoformat(sep=" ") if isinstance(cell, datetime) else cell
        for cell in row
    ]


def _word(words: Mapping[str, str], code: str | None) -> str | None:
    return None if code is None else _text(words.get(code, code))


def _text(text: str | None) -> str | None:
    return text[:MOST_LETTERS] if text else None


def _address(address: str | None) -> str | None:
    if address is None:
        return None
    return _text(address_text(msgspec.json.decode(address, type=dict[str, Any])))


def address_text(parts: Mapping[str, Any]) -> str:
    """Return an address as one line; reporters send it as one text or in parts."""
    if isinstance(parts.get("text"), str):
        return str(parts["text"])
    return " ".join(str(part) for part in parts.values() if isinstance(part, str | int | float))
