"""`bench`: the benchmarks, each beside its peer in the same run."""

import importlib
import json
import pkgutil
from collections.abc import Callable
from typing import Any

import click

COLUMNS = ("bench", "figure", "unit", "ours", "peer", "peer_name", "ratio", "target", "holds")


def find_benchmarks() -> dict[str, Callable[[], list[dict[str, Any]]]]:
    """Return the benchmarks by name: the `run` of each module of the package that has one."""
    import benchmarks

    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    modules = {name.replace("_", "-"): importlib.import_module(f"benchmarks.{name}") for name in names}
    return {name: module.run for name, module in modules.items() if hasattr(module, "run")}


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
        _print_table(rows)


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in COLUMNS))
    Console().print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
