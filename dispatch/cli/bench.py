"""`bench`: the benchmarks, each beside its peer in the same run."""

import importlib
import json
import pkgutil
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from typing import Any

import click

COLUMNS = ("bench", "figure", "unit", "ours", "peer", "peer_name", "ratio", "target", "holds")


def find_benchmarks() -> dict[str, Callable[[], list[dict[str, Any]]]]:
    """Return the benchmarks by name: the `run` of each module of the package that has one."""
    import benchmarks

    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    modules = {name.replace("_", "-"): importlib.import_module(f"benchmarks.{name}") for name in names}
    return {name: module.run for name, module in modules.items() if hasattr(module, "run")}


HEADINGS = ("figure", "unit", "ours", "peer", "ratio", "target", "holds")
"""What a line of the printed table has; the bench stands above, the peer below."""


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as a JSON list.")
def bench(name: str | None, as_json: bool) -> None:
    """Run one benchmark, or all, and print the figures; a missed target shows as such and is no failure."""
    found = find_benchmarks()
    if name is not None and name not in found:
        raise click.UsageError(f"There is no benchmark {name}; there are: {', '.join(found) or 'none'}.")
    rows: list[dict[str, Any]] = []
    for one in [name] if name is not None else found:
        click.echo(f"running {one} ...", err=True)
        rows += found[one]()
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        print_table(rows)


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the figures of each bench in columns, and below those that share a peer what it is.

    Nothing is cut or broken: who has a narrow terminal scrolls, or lets it break the lines.
    """
    for bench, own in groupby(rows, key=itemgetter("bench")):
        click.echo(bench)
        lines = [(HEADINGS, ""), *((tuple(_cell(row[name]) for name in HEADINGS), row["peer_name"]) for row in own)]
        widths = [max(len(cells[column]) for cells, _ in lines) for column in range(len(HEADINGS))]
        for number, (cells, peer) in enumerate(lines):
            texts = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
            texts += [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True)]
            click.echo(f"  {'  '.join(texts)}")
            if peer and (number + 1 == len(lines) or lines[number + 1][1] != peer):
                click.echo(f"    peer: {peer}")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
