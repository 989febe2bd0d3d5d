"""What `qiangdan city` and `qiangdan token` say and do, as an operator types them."""

import asyncio
import os
import subprocess
import sys

from tests.town import add_town


async def qiangdan(*arguments: str, database: str) -> tuple[int, str, str]:
    """Run a command; return its status, what it printed and what it complained of."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "dispatch.cli", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "QIANGDAN_DATABASE_URL": database,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


async def test_a_city_that_exists_is_not_made_again_and_the_way_to_its_token_is_told(database: str) -> None:
    await add_town(database, "town")
    status, printed, complaint = await qiangdan("city", "add", "town", "城", database=database)
    assert (status, printed) == (1, "")
    assert "town already" in complaint and "qiangdan token --city town" in complaint
    assert len(complaint.splitlines()) == 1


async def test_a_bad_id_of_a_city_is_wrong_usage(database: str) -> None:
    for bad in ("", "a b", "x" * 65, "../etc"):
        status, printed, complaint = await qiangdan("city", "add", bad, "城", database=database)
        assert (status, printed) == (2, ""), complaint
        assert "letters, digits" in complaint and len(complaint.splitlines()) == 1
