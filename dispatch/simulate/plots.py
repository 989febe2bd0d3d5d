"""The plots of the comparison as SVG text: arrival times, late shares by hour and crews, late arrivals on the map.

Colours are the variables `--p0` .. `--p4` of the page, one a policy, so that the same drawing serves light and dark.
Every number drawn also stands in a table or a title of the page.
"""

import math
from collections.abc import Sequence
from html import escape

import shapely
from msgspec import Struct

from dispatch.simulate.results import TARGET_S, Visit
from dispatch.simulate.scenario import ScenarioReport
from geo import Zone

WIDTH, HEIGHT = 500, 270
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 14, 46
MOST_MINUTES = 60
STEPS = 240


class Series(Struct, frozen=True):
    """One policy's values, in the page's colour number `colour`."""

    name: str
    colour: int
    values: Sequence[float | None]


def arrival_times(reports: int, visits: Sequence[Sequence[Visit]], names: Sequence[str]) -> str:
    """Draw which share of the reports had somebody at the door after so many minutes, for an hour."""
    plot = _Plot(0, MOST_MINUTES, [0, 15, 30, 45, 60], "{}", "从报修到敲门（分钟） minutes from the report to the door")
    x15 = plot.x(TARGET_S / 60)
    body = [f'<line class="target" x1="{x15}" x2="{x15}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>']
    body.append(f'<text class="mark" x="{x15 + 4}" y="{TOP + 10}">15 min</text>')
    for colour, own in enumerate(visits):
        ordered = sorted(visit.response_s / 60 for visit in own)
        points, count = [], 0
        for step in range(STEPS + 1):
            minutes = MOST_MINUTES * step / STEPS
            while count < len(ordered) and ordered[count] <= minutes:
                count += 1
            points.append(f"{plot.x(minutes)},{plot.y(count / max(reports, 1))}")
        body.append(_line(points, colour, names[colour]))
    return plot.svg(body, "到门时间分布 share of the reports with somebody at the door, by minutes")


def late_by_hour(series: Sequence[Series]) -> str:
    """Draw which share of each hour's reports was late, one line a policy; an hour without reports leaves a gap."""
    plot = _Plot(0, 23, [0, 6, 12, 18, 23], "{}:00", "报修的钟点 hour of the report")
    body = []
    for one in series:
        run: list[str] = []
        for hour, share in [*enumerate(one.values), (24, None)]:
            if share is not None:
                run.append(f"{plot.x(hour)},{plot.y(share)}")
                continue
            if len(run) == 1:
                x, y = run[0].split(",")
                body.append(f'<circle class="dot c{one.colour}" cx="{x}" cy="{y}" r="3"/>')
            elif run:
                body.append(_line(run, one.colour, one.name))
            run = []
    return plot.svg(body, "各时段迟到比例 late share by hour")


def share_by_crews(counts: Sequence[int], series: Sequence[Series]) -> str:
    """Draw which share had somebody at the door in time, by how many crews there are."""
    plot = _Plot(counts[0], counts[-1], counts, "{}", "班组数 number of crews")
    return plot.svg(_marked_lines(plot, counts, series), "15 分钟内到门比例 share in 15 minutes by number of crews")


def lateness_by_crews(counts: Sequence[int], series: Sequence[Series]) -> str:
    """Draw the weighted lateness in seconds by how many crews there are; each line across is ten times the next."""
    positive = [value for one in series for value in one.values if value]
    low = math.floor(math.log10(min(positive, default=1)))
    high = max(math.ceil(math.log10(max(positive, default=10))), low + 1)
    levels = [((power - low) / (high - low), _short(10**power)) for power in range(low, high + 1)]
    heights = [
        Series(
            one.name, one.colour, [(math.log10(value) - low) / (high - low) if value else 0.0 for value in one.values]
        )
        for one in series
    ]
    plot = _Plot(counts[0], counts[-1], counts, "{}", "班组数 number of crews", levels=levels)
    return plot.svg(_marked_lines(plot, counts, heights), "加权迟到（秒） severity x seconds late by number of crews")


def _short(number: int) -> str:
    """Return a round number in few letters, as in 100k."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            return f"{number // unit}{letter}"
    return str(number)


def _marked_lines(plot: "_Plot", counts: Sequence[int], series: Sequence[Series]) -> list[str]:
    """Return a line a policy, with a dot at each number of crews that was simulated."""
    body = []
    for one in series:
        points = [
            (plot.x(count), plot.y(share)) for count, share in zip(counts, one.values, strict=True) if share is not None
        ]
        body.append(_line([f"{x},{y}" for x, y in points], one.colour, one.name))
        body += [f'<circle class="dot c{one.colour}" cx="{x}" cy="{y}" r="3"/>' for x, y in points]
    return body


PERCENT = tuple((percent / 100, f"{percent}%") for percent in (0, 25, 50, 75, 100))


class _Plot:
    """Axes of shares of the height, lines across at `levels`, over a range of numbers."""

    def __init__(
        self,
        low: float,
        high: float,
        ticks: Sequence[int],
        tick: str,
        caption: str,
        *,
        levels: Sequence[tuple[float, str]] = PERCENT,
    ) -> None:
        self._low, self._high, self._ticks, self._tick, self._caption = low, high, ticks, tick, caption
        self._levels = levels

    def x(self, value: float) -> float:
        """Return where a number lies from left to right."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - self._low) / ((self._high - self._low) or 1), 1)

    def y(self, share: float) -> float:
        """Return where a share lies from top to bottom."""
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share, 1)

    def svg(self, body: Sequence[str], title: str) -> str:
        """Return the plot with its axes."""
        grid = []
        for level, label in self._levels:
            y = self.y(level)
            grid.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
            grid.append(f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{y + 4}">{label}</text>')
        for value in self._ticks:
            label = self._tick.format(value)
            grid.append(
                f'<text class="tick" text-anchor="middle" x="{self.x(value)}" y="{HEIGHT - BOTTOM + 17}">{label}</text>'
            )
        middle = (LEFT + WIDTH - RIGHT) / 2
        grid.append(
            f'<text class="tick" text-anchor="middle" x="{middle}" y="{HEIGHT - 5}">{escape(self._caption)}</text>'
        )
        return _svg(WIDTH, HEIGHT, [*grid, *body], title)


def late_map(
    zones: Sequence[Zone], visits: Sequence[Visit], unserved: Sequence[ScenarioReport], name: str, colour: int
) -> str:
    """Draw the zones with a dot for each late arrival, larger the later, and a cross for each report never served."""
    late = sorted((v for v in visits if v.response_s > TARGET_S), key=lambda v: -v.response_s)
    places = [(v.report.lon, v.report.lat) for v in late] + [(r.lon, r.lat) for r in unserved]
    bounds = [tuple(zone.geometry.bounds) for zone in zones] + [(*place, *place) for place in places]
    west, south = min(b[0] for b in bounds), min(b[1] for b in bounds)
    east, north = max(b[2] for b in bounds), max(b[3] for b in bounds)
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = 300 / max((east - west) * squeeze, 1e-9)
    height = min(round((north - south) * scale) + 12, 420)
    scale = min(scale, (height - 12) / max(north - south, 1e-9))

    def xy(lon: float, lat: float) -> tuple[float, float]:
        return round(6 + (lon - west) * squeeze * scale, 1), round(6 + (north - lat) * scale, 1)

    body = []
    for zone in zones:
        rings = [
            ring for polygon in shapely.get_parts(zone.geometry) for ring in (polygon.exterior, *polygon.interiors)
        ]
        path = " ".join("M" + " ".join(f"{x},{y}" for x, y in (xy(*c) for c in ring.coords)) + "Z" for ring in rings)
        body.append(f'<path class="zone" d="{path}"><title>{escape(zone.name or zone.id)}</title></path>')
    for visit in late:
        x, y = xy(visit.report.lon, visit.report.lat)
        minutes = visit.response_s / 60
        radius = round(min(1.5 + math.sqrt(minutes - TARGET_S / 60), 11), 1)
        told = f"{escape(visit.report.id)}: {minutes:.0f} min"
        body.append(
            f'<circle class="dot c{colour} faint" cx="{x}" cy="{y}" r="{radius}"><title>{told}</title></circle>'
        )
    for report in unserved:
        x, y = xy(report.lon, report.lat)
        told = f"{escape(report.id)}: 未到 unserved"
        body.append(f'<path class="cross" d="M{x - 4},{y - 4}l8,8m0,-8l-8,8"><title>{told}</title></path>')
    return _svg(312, height, body, f"{name}: 迟到地点 late arrivals")


def _line(points: Sequence[str], colour: int, name: str) -> str:
    return f'<polyline class="line c{colour}" points="{" ".join(points)}"><title>{escape(name)}</title></polyline>'


def _svg(width: int, height: int, body: Sequence[str], title: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{"".join(body)}</svg>'
