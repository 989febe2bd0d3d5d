"""What `qiangdan city` and `qiangdan token` say and do, as an operator types them."""

import asyncio
import os
import subprocess
import sys

from dispatch.access import hash_of
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


async def test_a_city_gets_another_name_and_one_that_is_not_there_does_not(database: str) -> None:
    await add_town(database, "town")
    assert await qiangdan("city", "rename", "town", "哈尔滨", database=database) == (0, "", "")
    _, listed, _ = await qiangdan("city", "list", database=database)
    assert "town\t哈尔滨" in listed.splitlines()
    status, _, complaint = await qiangdan("city", "rename", "nowhere", "哈尔滨", database=database)
    assert status == 1 and "no city nowhere" in complaint and len(complaint.splitlines()) == 1


async def test_a_bad_id_of_a_city_is_wrong_usage(database: str) -> None:
    for bad in ("", "a b", "x" * 65, "../etc"):
        status, printed, complaint = await qiangdan("city", "add", bad, "城", database=database)
        assert (status, printed) == (2, ""), complaint
        assert "letters, digits" in complaint and len(complaint.splitlines()) == 1


async def test_a_token_is_listed_by_its_name_and_revoked_but_not_the_last(database: str) -> None:
    await add_town(database, "town")
    mine = ("--city", "town")
    _, old, _ = await qiangdan("token", *mine, database=database)
    _, new, _ = await qiangdan("token", *mine, database=database)
    _, listed, _ = await qiangdan("token", "--list", *mine, database=database)
    names = [line.split("\t")[0] for line in listed.splitlines()]
    assert {name_of(old), name_of(new)} <= set(names)
    for name in set(names) - {name_of(new)}:
        assert await qiangdan("token", "--revoke", name, *mine, database=database) == (0, "1 revoked\n", "")
    for last in (name_of(new), "all"):
        status, printed, complaint = await qiangdan("token", "--revoke", last, *mine, database=database)
        assert (status, printed) == (1, "")
        assert "issue another" in complaint and len(complaint.splitlines()) == 1
    status, _, complaint = await qiangdan("token", "--revoke", name_of(old), *mine, database=database)
    assert status == 1 and "has no token" in complaint
    status, _, complaint = await qiangdan("token", "--revoke", "x", "--list", *mine, database=database)
    assert status == 2
    _, listed, _ = await qiangdan("token", "--list", *mine, database=database)
    assert [line.split("\t")[0] for line in listed.splitlines()] == [name_of(new)]


def name_of(printed: str) -> str:
    """What lists call a token that was printed."""
    return hash_of(printed.strip()).hex()[:16]
