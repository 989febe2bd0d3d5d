"""`simulate`: a day in virtual time, no server."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dispatch.cli.options import with_settings
from dispatch.config import Settings
from dispatch.operator_errors import OperatorError

if TYPE_CHECKING:
    from dispatch.simulate.runs import Outcome

POLICIES = ("nearest", "rule", "grab", "optimizer", "hybrid")
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("scenario", type=FOLDER)
@click.option("--policy", type=click.Choice(POLICIES), default="hybrid", show_default=True, help="Who is sent where.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the crews' dice.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Where visits.csv goes.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--behaviour", type=FILE, help="How crews behave. Default: SCENARIO/crews.toml, if there is one.")
@with_settings(database=False)
def simulate(
    settings: Settings,
    *,
    scenario: Path,
    policy: str,
    seed: int,
    out: Path,
    as_json: bool,
    behaviour: Path | None,
) -> None:
    """Run the day of a SCENARIO folder under a policy: writes visits.csv and prints what came of it."""
    from dispatch.simulate import runs
    from dispatch.simulate.behaviour import read_behaviour
    from dispatch.simulate.results import visits_csv

    usual = scenario / "crews.toml"
    dice = read_behaviour(behaviour or (usual if usual.exists() else None))
    day, city = runs.prepare(scenario, settings)
    outcome = runs.simulate(day, city, policy, behaviour=dice, seed=seed)
    _write(out / "visits.csv", visits_csv(outcome.visits))
    if as_json:
        from dispatch.simulate.results import as_json as figures

        click.echo(json.dumps(figures(outcome.summary), ensure_ascii=False))
    else:
        _print_table([outcome])
        click.echo(f"{out / 'visits.csv'}: {len(outcome.visits)} visits")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OperatorError(f"{path} cannot be written ({error.strerror}): choose another folder with --out.") from None


def _print_table(outcomes: "list[Outcome]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", *(outcome.policy for outcome in outcomes))
    for name in outcomes[0].summary.__struct_fields__:
        table.add_row(name, *(_cell(getattr(outcome.summary, name)) for outcome in outcomes))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "-"
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
