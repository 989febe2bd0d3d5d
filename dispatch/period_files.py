"""A period's report as files: CSV in parts as the rows come, XLSX built row by row in constant memory."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from dispatch.ledger import HOURS, LEDGER, SUMS, Cell, csv_cells

BYTE_ORDER_MARK = "\ufeff"
"""Without it spreadsheets read UTF-8 as something else."""

WIDTHS = {"工单号": 32, "报修时间": 19, "时段": 19, "地址": 36, "超时说明": 40, "故障": 14, "片区": 16}


def csv_part(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return rows as a part of a CSV file (RFC 4180), UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerows(csv_cells(row) for row in rows)
    return text.getvalue().encode()


def csv_head() -> bytes:
    """Return the beginning of the ledger as CSV."""
    return BYTE_ORDER_MARK.encode() + csv_part([LEDGER])


class Workbook:
    """The report as XLSX: sums of city and zones, the hours, the ledger. Texts stay texts, never formulas."""

    def __init__(self, file: Path, title: str) -> None:
        self._book = xlsxwriter.Workbook(
            str(file), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        )
        self._book.set_properties({"title": title})
        self._head = self._book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._share = self._book.add_format({"num_format": "0.0%"})
        self._sheet: Any = None
        self._row = 0
        self._columns: Sequence[str] = ()

    def add_sums(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Add the sheet of sums."""
        self._begin("汇总", SUMS)
        self.write(rows)

    def add_hours(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Add the sheet of hours."""
        self._begin("每小时报修", HOURS)
        self.write(rows)

    def begin_ledger(self) -> None:
        """Begin the sheet of orders; `write` adds to it."""
        self._begin("工单台账", LEDGER)

    def _begin(self, name: str, columns: Sequence[str]) -> None:
        self._sheet = self._book.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_landscape()
        self._sheet.fit_to_pages(1, 0)
        self._sheet.repeat_rows(0)
        for place, column in enumerate(columns):
            self._sheet.set_column(place, place, WIDTHS.get(column, 11))
            self._sheet.write_string(0, place, column, self._head)
        self._row, self._columns = 1, columns

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows under those of the present sheet."""
        for row in rows:
            for place, cell in enumerate(row):
                if isinstance(cell, str):
                    self._sheet.write_string(self._row, place, cell)
                elif isinstance(cell, datetime):
                    self._sheet.write_datetime(self._row, place, cell, self._time)
                elif cell is not None:
                    is_share = self._columns[place] == "按时率"
                    self._sheet.write_number(self._row, place, cell, self._share if is_share else None)
            self._row += 1

    def close(self) -> None:
        """Write the file."""
        self._book.close()
