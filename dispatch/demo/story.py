"""What the demo says on the terminal: Chinese first, English beside; plain lines where nobody looks on."""

import asyncio
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.cells import cell_len
from rich.columns import Columns
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from dispatch.demo.population import Population
from dispatch.demo.population import Progress as Step
from dispatch.demo.watch import CityWatch

EVERY_S = 1.0
PLAIN_EVERY_S = 10.0

console = Console(highlight=False, soft_wrap=True)


@contextmanager
def settling() -> Iterator[Step]:
    """Show how far the set-up is, with a bar on a terminal; give the function to call with done and total."""
    bar = Progress(
        TextColumn("招募维修人员 hiring crews"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def tell_where(url: str, people: Population, *, admin: str, crews: int, speed: float, reports_per_hour: float) -> None:
    """Say where to look and how to sign in; the links sign in by themselves."""
    you = people.technician
    where = (
        ("开始 start", f"{url}/"),
        ("维修 technician", f"{url}/crew#token={you.token}&demo"),
        ("调度 dispatcher", f"{url}/console#token={people.dispatcher}"),
        ("督办 SLA monitor", f"{url}/sla#token={people.monitor}"),
        ("接口 API", f"{url}/openapi.json"),
        ("管理员令牌 administrator's token", admin),
    )
    width = max(cell_len(words) for words, _ in where)
    terminal = ["qiangdan", "crew", url, "--token", you.token, "--lon", f"{you.lon}", "--lat", f"{you.lat}"]
    console.print()
    console.print("抢单演示城市 qiangdan demo city", style="bold")
    console.print(
        f"{crews} 名模拟维修人员, 每小时 {reports_per_hour:g} 件报修, 行驶和维修快 {speed:g} 倍, 时限不变\n"
        f"{crews} simulated crews, {reports_per_hour:g} reports an hour; driving and repairs pass {speed:g} times "
        "as fast, the service clocks do not"
    )
    console.print()
    for words, link in where:
        console.print(f"{words}{' ' * (width - cell_len(words))}  {link}")
    console.print("终端抢单 grab in a terminal")
    console.print("  " + shlex.join(terminal))
    console.print("按 Ctrl-C 停止 Ctrl-C stops everything\n")


async def narrate(watch: CityWatch) -> None:
    """Show the figures until cancelled: a live line on a terminal, a line now and then elsewhere."""
    began = time.monotonic()
    told_first = False
    if not console.is_terminal:
        said_at = began
        while True:
            told_first = told_first or _tell_first(watch, began)
            if time.monotonic() - said_at >= PLAIN_EVERY_S:
                console.print(Text("  ").join(figures(watch)))
                said_at = time.monotonic()
            await asyncio.sleep(EVERY_S)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            told_first = told_first or _tell_first(watch, began)
            live.update(Columns(figures(watch), padding=(0, 2)), refresh=True)
            await asyncio.sleep(EVERY_S)


def _tell_first(watch: CityWatch, began: float) -> bool:
    if watch.arrived:
        seconds = time.monotonic() - began
        console.print(f"首单到场 first order served: a crew was at the door after {seconds:.0f} s", style="green")
    return watch.arrived > 0


def figures(watch: CityWatch) -> list[Text]:
    """Return the figures of the status line: what happened since the start, and what is open now."""
    states = watch.states
    with_dispatcher = sum(states[state] for state in ("unzoned", "held", "suspended", "transferred"))
    under_way = sum(states[state] for state in ("claimed", "en_route", "arrived"))
    parts = (
        ("报修 reports", watch.reported, ""),
        ("待抢 offered", states["offered"], "yellow"),
        ("已接 claimed", watch.claimed, ""),
        ("在办 under way", under_way, ""),
        ("到场 arrived", watch.arrived, ""),
        ("办结 resolved", watch.resolved, "green"),
        ("待处理 waiting", with_dispatcher, ""),
        ("超时 late", watch.late, "red" if watch.late else ""),
    )
    return [Text.assemble((f"{words} ", "dim"), (f"{count}", style)) for words, count, style in parts]
