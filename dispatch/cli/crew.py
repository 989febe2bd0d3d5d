"""`crew`: a technician's terminal."""

import click

from dispatch.cli.numbers import FiniteRange


@click.command()
@click.argument("url", default="http://127.0.0.1:8000")
@click.option("--token", envvar="QIANGDAN_CREW_TOKEN", required=True, help="The crew's token.")
@click.option("--lon", type=FiniteRange(-180, 180), help="Where the crew is, WGS-84 degrees.")
@click.option("--lat", type=FiniteRange(-90, 90), help="Where the crew is, WGS-84 degrees.")
def crew(url: str, token: str, lon: float | None, lat: float | None) -> None:
    """Work as one technician in this terminal: see offers, grab by key, report progress."""
    from crew_client.terminal import run_terminal

    run_terminal(url, token, lon, lat)
