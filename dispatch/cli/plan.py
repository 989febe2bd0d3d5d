"""`plan`: one planning problem in, routes out, in VROOM's JSON."""

import json
import sys
import time
from pathlib import Path

import click
import msgspec
from click.core import ParameterSource

from dispatch.cli.numbers import FiniteRange
from dispatch.operator_errors import OperatorError

FILE = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=Path)


@click.command()
@click.argument("file", type=FILE, default="-")
@click.option("--time-limit", type=FiniteRange(0, 86_400), default=1.0, show_default=True, help="Seconds to plan.")
@click.option(
    "--iterations",
    type=click.IntRange(0, 10**12),
    help="Changes to try, in place of a time; --time-limit beside it is a cap.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="For the search's chance. The same problem, options and seed give the same output but for computing_times "
    "wherever summary.stopped_by is iterations: with --iterations, and for up to 50 jobs. Where it is time the clock "
    "decides, and another run may differ.",
)
@click.option("--initial", type=FILE, help="A former output to start from.")
@click.option("--freeze", is_flag=True, help="Keep what has begun in the former output as it is.")
@click.pass_context
def plan(
    context: click.Context,
    *,
    file: Path,
    time_limit: float,
    iterations: int | None,
    seed: int,
    initial: Path | None,
    freeze: bool,
) -> None:
    """Plan the problem in FILE (standard input without one, or for -): VROOM's JSON, with `due` and `weight`."""
    if freeze and initial is None:
        raise click.UsageError("--freeze needs the former output that --initial names.")
    if initial is not None and str(initial) == "-" and str(file) == "-":
        raise click.UsageError("Only one of FILE and --initial can be standard input.")
    from optimizer.problem import ProblemError
    from optimizer.vroom import reading

    began = time.perf_counter()
    text = _bytes(file)
    try:
        problem = reading.read(text)
    except ProblemError as error:
        raise OperatorError(_sentence("The problem cannot be planned", error)) from None
    orders = None
    if initial is not None:
        try:
            former = reading.read_former(_bytes(initial))
            problem = reading.begun(problem, former) if freeze else problem
        except ProblemError as error:
            raise OperatorError(_sentence("The former output cannot be read", error)) from None
        orders = reading.orders_of(former)
        given = {job for row in orders.values() for job in row}
        if given and given.isdisjoint(job.id for job in problem.jobs):
            click.echo(f"No job of the problem stands in {initial}: the plan is made anew.", err=True)
    from optimizer import Capped, Iterations, Seconds, Stopping
    from optimizer.search.cache import is_compiled
    from optimizer.solving import ready, solve, surely_fits
    from optimizer.vroom.writing import write

    if not is_compiled():
        click.echo("The search is compiled, once for this installation; this takes some 20 s ...", err=True)
    ready()
    loaded = time.perf_counter()
    fixed = surely_fits(problem, time_limit) if iterations is None else iterations
    stop: Stopping = Seconds(time_limit) if fixed is None else Capped(fixed, seconds=time_limit)
    if iterations is not None and context.get_parameter_source("time_limit") is ParameterSource.DEFAULT:
        stop = Iterations(iterations)
    solved = solve(problem, initial=orders, stop=stop, seed=seed)
    times = {"loading": round(1000 * (loaded - began)), "solving": round(1000 * (time.perf_counter() - loaded))}
    by_time = fixed is None or 0 < solved.iterations < fixed
    document = write(
        problem,
        solved,
        msgspec.json.decode(text),
        computing_ms=times,
        stopped_by="time" if by_time else "iterations",
    )
    click.echo(json.dumps(document, ensure_ascii=False))


def _bytes(path: Path) -> bytes:
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def _sentence(what: str, error: Exception) -> str:
    faults = getattr(error, "faults", ())
    named = "; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults[:5])
    more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
    return f"{what}: {named}{more}."
