"""`simulate`: a day in virtual time, no server."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dispatch.cli.options import with_settings
from dispatch.config import Settings
from dispatch.operator_errors import OperatorError

if TYPE_CHECKING:
    from dispatch.simulate.runs import Outcome, Staffing

POLICIES = ("nearest", "rule", "grab", "optimizer", "hybrid")
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("scenario", type=FOLDER)
@click.option("--policy", type=click.Choice(POLICIES), default="hybrid", show_default=True, help="Who is sent where.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the crews' dice.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Where visits.csv goes.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--compare", help="Policies with commas between, all of them run and set side by side in compare.html.")
@click.option(
    "--crews", help="With --compare: numbers with commas between; the day is also run with the first so many crews."
)
@click.option("--behaviour", type=FILE, help="How crews behave. Default: SCENARIO/crews.toml, if there is one.")
@click.option(
    "--as-configured",
    is_flag=True,
    help="Take the grab policy to the letter. Without this, hybrid leaves only what is safe to grabs.",
)
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
    compare: str | None,
    crews: str | None,
    as_configured: bool,
) -> None:
    """Run the day of a SCENARIO folder under a policy: writes visits.csv and prints what came of it."""
    chosen = _chosen(compare) if compare is not None else [policy]
    if crews is not None and compare is None:
        raise click.UsageError("--crews draws a curve for --compare: name the policies with it.")
    from dispatch.simulate import runs
    from dispatch.simulate.behaviour import read_behaviour
    from dispatch.simulate.results import visits_csv

    usual = scenario / "crews.toml"
    dice = read_behaviour(behaviour or (usual if usual.exists() else None))
    day, city = runs.prepare(scenario, settings)
    if told := runs.homeless(day, city):
        click.echo(told, err=True)
    counts = _counts(crews, len(day.crews)) if crews is not None else []

    def run(count: int) -> "list[Outcome]":
        some = runs.staffed(day, count)
        return [
            runs.simulate(some, city, name, behaviour=dice, seed=seed, as_configured=as_configured) for name in chosen
        ]

    outcomes = run(len(day.crews))
    staffings = [runs.Staffing(count, [outcome.summary for outcome in run(count)]) for count in counts]
    told = runs.stood_in(day)
    for outcome in outcomes:
        folder = out / outcome.policy if compare is not None else out
        write(folder / "visits.csv", visits_csv(outcome.visits))
    if compare is not None:
        from dispatch.simulate.page import render

        write(out / "compare.html", render(runs.compare(day, city, outcomes, seed=seed, staffings=staffings)))
    _print(outcomes, staffings, as_json=as_json, together=compare is not None)
    if told:
        click.echo(told, err=True)
    if not as_json:
        click.echo(f"写入 written: {out / ('compare.html' if compare else 'visits.csv')}")


def _chosen(compare: str) -> list[str]:
    """Return the policies of a comparison; at most five have a colour of their own."""
    chosen = [name.strip() for name in compare.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in POLICIES]:
        raise click.UsageError(f"There is no policy {unknown[0]}; there are: {', '.join(POLICIES)}.")
    if not chosen or len(set(chosen)) < len(chosen):
        raise click.UsageError("--compare needs policies, each once, with commas between, as in nearest,hybrid.")
    return chosen


def _counts(crews: str, most: int) -> list[int]:
    """Return the numbers of crews to run the day with, the fewest first."""
    try:
        counts = sorted({int(word) for word in crews.split(",") if word.strip()})
    except ValueError:
        counts = []
    if not counts or counts[0] < 1 or counts[-1] > most:
        raise click.UsageError(f"--crews needs numbers from 1 to {most}, the crews of the scenario, as in 18,22,26.")
    return counts


def _print(outcomes: "list[Outcome]", staffings: "list[Staffing]", *, as_json: bool, together: bool) -> None:
    from dispatch.simulate.results import as_json as figures

    if not as_json:
        print_table(outcomes)
        for staffing in staffings:
            line = (
                f"{outcome.policy} {summary.share_15:.3f} {summary.weighted_tardiness_s:,} s"
                for outcome, summary in zip(outcomes, staffing.summaries, strict=True)
            )
            click.echo(f"{staffing.crews} 班组 crews: {'; '.join(line)}")
    elif together:
        told = {outcome.policy: figures(outcome.summary) for outcome in outcomes}
        for n, outcome in enumerate(outcomes):
            if staffings:
                told[outcome.policy]["by_crews"] = {each.crews: figures(each.summaries[n]) for each in staffings}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        click.echo(json.dumps(figures(outcomes[0].summary), ensure_ascii=False))


def write(path: Path, text: str) -> None:
    """Write a file, and the folder that it is in; raise `OperatorError` where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OperatorError(f"{path} cannot be written ({error.strerror}): choose another folder with --out.") from None


def print_table(outcomes: "list[Outcome]", *, difference: bool = False) -> None:
    """Print figures side by side; `difference` adds the second less the first."""
    from rich.console import Console
    from rich.table import Table

    from dispatch.simulate import results

    columns = [results.as_json(outcome.summary) for outcome in outcomes]
    heads = [outcome.policy for outcome in outcomes]
    if difference:
        columns.append(results.difference(outcomes[0].summary, outcomes[1].summary))
        heads.append("difference")
    table = Table("", *heads)
    for name in outcomes[0].summary.__struct_fields__:
        table.add_row(name, *(_cell(column.get(name)) for column in columns))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "-"
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
