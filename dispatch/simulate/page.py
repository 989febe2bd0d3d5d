"""Policies side by side as one HTML file that needs no other: figures, plots, tables; dark, light, narrow, wide."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from html import escape

from dispatch.simulate.plots import (
    Series,
    arrival_times,
    late_by_hour,
    late_map,
    lateness_by_crews,
    share_by_crews,
)
from dispatch.simulate.runs import Comparison, Outcome

NAMES = {
    "nearest": "最近派单",
    "rule": "一行规则",
    "grab": "只抢单",
    "optimizer": "只派单",
    "hybrid": "先抢后派",
    "as logged": "实际发生",
}
"""What each policy is called in Chinese."""

CLAIMED = {"grab": "抢 grab", "optimizer": "派 machine", "dispatcher": "调度 dispatcher"}
OUTSIDE = "—"
FIGURES = (
    ("share_15", "15 分钟内", "in 15 min"),
    ("p50_s", "中位", "median"),
    ("p90_s", "P90", "P90"),
    ("p99_s", "P99", "P99"),
    ("mean_s", "平均", "mean"),
    ("weighted_tardiness_s", "加权迟到（秒）", "severity x s late"),
    ("travel_s", "路上（小时）", "hours driving"),
    ("unserved", "未到", "unserved"),
    ("claimed_by", "谁得单", "claimed by"),
)


def render(comparison: Comparison) -> str:
    """Return the page."""
    scenario, outcomes = comparison.scenario, comparison.outcomes
    names = [_name(outcome.policy) for outcome in outcomes]
    dice = f"，随机种子 {comparison.seed}" if comparison.seed is not None else ""
    maps = "".join(
        f"<figure>{late_map(comparison.zones, o.visits, comparison.unserved(o), names[n], n)}"
        f"<figcaption>{_key(n)}{escape(names[n])}: 迟到 {len(comparison.late(o))}</figcaption></figure>"
        for n, o in enumerate(outcomes)
    )
    sections = (
        f"<h1>{escape(scenario.name)}</h1>",
        f"<p>{len(scenario.reports):,} 件报修 reports，{len(scenario.crews):,} 班组 crews{dice}。"
        "迟到：报修 15 分钟后仍无人到门。 Late: nobody at the door 15 minutes after the report.</p>",
        _section("结果", "Figures", _figures(outcomes, names)),
        _section(
            "到门时间",
            "Time to the door",
            _legend(names) + arrival_times(len(scenario.reports), [o.visits for o in outcomes], names),
        ),
        *([_staffing(comparison, names)] if comparison.staffings else []),
        _section("各时段迟到", "Late share by hour", _legend(names) + late_by_hour(_hours(comparison, names))),
        _section("各片区迟到", "Late share by zone", _by_zone(comparison, names)),
        _section(
            "迟到地点",
            "Late arrivals on the map",
            f'<div class="maps">{maps}</div>'
            "<p>点越大越晚；叉号为未到。 The larger the later; a cross was never served.</p>",
        ),
    )
    return _PAGE.format(title=escape(scenario.name), style=_STYLE, body="\n".join(sections))


def _name(policy: str) -> str:
    return f"{NAMES[policy]} {policy}" if policy in NAMES else policy


def _section(chinese: str, english: str, body: str) -> str:
    return f'<section><h2>{chinese} <small lang="en">{english}</small></h2>{body}</section>'


def _key(colour: int) -> str:
    return f'<i class="key c{colour}"></i>'


def _legend(names: Sequence[str]) -> str:
    return (
        '<p class="legend">' + "".join(f"<span>{_key(n)}{escape(name)}</span>" for n, name in enumerate(names)) + "</p>"
    )


def _figures(outcomes: Sequence[Outcome], names: Sequence[str]) -> str:
    head = "".join(
        f"<th scope=col>{chinese}<br><small lang=en>{english}</small></th>" for _, chinese, english in FIGURES
    )
    rows = "".join(
        f"<tr><th scope=row>{_key(n)}{escape(names[n])}</th>"
        + "".join(f"<td>{_figure(name, getattr(outcome.summary, name))}</td>" for name, _, _ in FIGURES)
        + "</tr>"
        for n, outcome in enumerate(outcomes)
    )
    return _table(f"<tr><th></th>{head}</tr>", rows)


def _figure(name: str, value: object) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{CLAIMED.get(who, escape(who))} {count:,}" for who, count in value.items()) or "-"
    if not isinstance(value, (int, float)):
        return "-"
    if name == "share_15":
        return f"{value:.1%}"
    if name == "travel_s":
        return f"{value / 3600:,.1f}"
    if name.endswith("_s") and name != "weighted_tardiness_s":
        return f"{int(value) // 60}:{int(value) % 60:02}"
    return f"{value:,}"


def _staffing(comparison: Comparison, names: Sequence[str]) -> str:
    """Return the trade-off between crews and lateness, drawn and as a table."""
    staffings = comparison.staffings
    counts = [staffing.crews for staffing in staffings]

    def series(figure: str) -> list[Series]:
        return [Series(name, n, [getattr(s.summaries[n], figure) for s in staffings]) for n, name in enumerate(names)]

    head = "".join(f"<th scope=col>{count} 班组</th>" for count in counts)
    rows = "".join(
        f"<tr><th scope=row>{_key(n)}{escape(name)}</th>"
        + "".join(
            f"<td>{s.summaries[n].share_15:.1%}<br><small>{s.summaries[n].weighted_tardiness_s:,} s</small></td>"
            for s in staffings
        )
        + "</tr>"
        for n, name in enumerate(names)
    )
    body = (
        _legend(names)
        + f'<div class="pair">{share_by_crews(counts, series("share_15"))}'
        + f"{lateness_by_crews(counts, series('weighted_tardiness_s'))}</div>"
        + "<p>左：15 分钟内到门比例。右：加权迟到（秒），每格十倍。 "
        "Left: share in 15 minutes. Right: severity x seconds late, ten times a line.</p>"
        + _table(f"<tr><th></th>{head}</tr>", rows)
    )
    return _section("班组多少", "More or fewer crews", body)


def _hours(comparison: Comparison, names: Sequence[str]) -> list[Series]:
    clock = comparison.scenario.offset
    hour_of = {report.id: report.at.astimezone(clock).hour for report in comparison.scenario.reports}
    among = Counter(hour_of.values())
    series = []
    for n, outcome in enumerate(comparison.outcomes):
        late = Counter(hour_of[report] for report in comparison.late(outcome))
        shares = [late[hour] / among[hour] if among[hour] else None for hour in range(24)]
        series.append(Series(names[n], n, shares))
    return series


def _by_zone(comparison: Comparison, names: Sequence[str]) -> str:
    """Return the late share of each zone under each policy, the worst zone of the first policy first."""
    reports: defaultdict[str, list[str]] = defaultdict(list)
    for report in comparison.scenario.reports:
        reports[comparison.zone_of.get(report.id) or OUTSIDE].append(report.id)
    late = [comparison.late(outcome) for outcome in comparison.outcomes]
    shares = {zone: [sum(i in own for i in ids) / len(ids) for own in late] for zone, ids in reports.items()}
    title = {zone.id: zone.name for zone in comparison.zones} | {OUTSIDE: "片区之外 outside"}
    head = "".join(f"<th scope=col>{_key(n)}{escape(name)}</th>" for n, name in enumerate(names))
    rows = "".join(
        f"<tr><th scope=row>{escape(title.get(zone) or zone)}</th><td>{len(reports[zone]):,}</td>"
        + "".join(f'<td class="heat" style="--v:{share:.2f}">{share:.0%}</td>' for share in shares[zone])
        + "</tr>"
        for zone in sorted(shares, key=lambda zone: (-shares[zone][0], zone))
    )
    return _table(f"<tr><th>片区 <small lang=en>zone</small></th><th>报修</th>{head}</tr>", rows)


def _table(head: str, rows: str) -> str:
    return f'<div class="scroll" tabindex="0"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


_PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · 调度方案对比</title>
<style>{style}</style>
</head>
<body><main>
{body}
</main></body>
</html>
"""

_STYLE = """
:root { color-scheme: light dark; --bg: #fff; --ink: #1b1f24; --soft: #5f6368; --grid: #e3e6ea; --zone: #f3f5f7;
  --edge: #b9c0c8; --hot: 200 16 46;
  --p0: #5f6368; --p1: #b35900; --p2: #0a66c8; --p3: #067a3e; --p4: #c8102e; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171a; --ink: #e6e9ec; --soft: #a3abb3; --grid: #2c3238;
  --zone: #1d2226; --edge: #4b545d; --hot: 255 107 122;
  --p0: #b4bcc4; --p1: #f0a04b; --p2: #6cb2ff; --p3: #4cc98a; --p4: #ff6b7a; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 16px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif }
main { max-width: 64rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.5rem; margin: .5rem 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
small, figcaption, p { color: var(--soft) } small { font-weight: 400 }
svg { display: block; width: 100%; max-width: 46rem; height: auto; overflow: visible }
@media (max-width: 40rem) { .tick, .mark { font-size: 16px !important } }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .5rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid) }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--bg) } thead th { font-weight: 500 }
.heat { background: rgb(var(--hot) / calc(var(--v) * .45)) }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .25rem 0; color: var(--ink) }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 50%; background: var(--c); margin-right: .4em }
.grid { stroke: var(--grid) } .target { stroke: var(--soft); stroke-dasharray: 4 3 }
.tick, .mark { fill: var(--soft); font-size: 12px } .line { fill: none; stroke: var(--c); stroke-width: 2.2 }
.dot { fill: var(--c) } .faint { fill-opacity: .35; stroke: var(--c); stroke-width: .7 }
.zone { fill: var(--zone); stroke: var(--edge); fill-rule: evenodd; stroke-width: .8 }
.cross { stroke: var(--ink); stroke-width: 1.8; fill: none }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem }
figure { margin: 0 } .c0 { --c: var(--p0) } .c1 { --c: var(--p1) } .c2 { --c: var(--p2) } .c3 { --c: var(--p3) }
.c4 { --c: var(--p4) }
"""
