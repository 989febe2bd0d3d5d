"""The proxy does to connections what a bad network does, and to commits what a bad moment does."""

import asyncio
import random
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from tests.faults import wire
from tests.faults.proxy import HEALTHY, DatabaseProxy, Proxy, Toxics

HELLO = b"hello from the other side" * 40


@pytest.fixture
async def echo() -> AsyncIterator[Proxy]:
    """A proxy before a server that says everything back."""

    async def say_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(say_back, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    proxy = Proxy(random.Random(1), lambda end: loop.create_connection(lambda: end, "127.0.0.1", port))
    await proxy.start()
    yield proxy
    await proxy.stop()
    server.close()


async def dial(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that is connected with the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await said_back(reader, writer) == HELLO
    return reader, writer


async def said_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """What the server says to a greeting."""
    writer.write(HELLO)
    async with asyncio.timeout(20):
        return await reader.readexactly(len(HELLO))


@pytest.mark.parametrize(
    "toxics", [HEALTHY, Toxics(bytewise=True), Toxics(bits_per_s=2_000_000), Toxics(latency_s=(0.001, 0.05))]
)
async def test_what_is_slow_arrives_whole_and_in_order(echo: Proxy, toxics: Toxics) -> None:
    reader, writer = await dial(echo)
    echo.poison(toxics, 1.0)
    assert await said_back(reader, writer) == HELLO
    echo.heal()
    assert await said_back(reader, writer) == HELLO


@pytest.mark.parametrize("toxics", [Toxics(stalled=True), Toxics(deaf=True)])
async def test_what_is_held_back_comes_when_it_is_over(echo: Proxy, toxics: Toxics) -> None:
    reader, writer = await dial(echo)
    echo.poison(toxics, 1.0)
    answer = asyncio.create_task(said_back(reader, writer))
    other_reader, other_writer = await asyncio.open_connection("127.0.0.1", echo.port)
    other = asyncio.create_task(said_back(other_reader, other_writer))
    await asyncio.sleep(0.1)
    assert not answer.done()
    assert not other.done(), "a connection that comes later suffers it, too"
    echo.heal()
    assert await answer == await other == HELLO


async def test_a_half_open_socket_hears_nothing_and_is_reset_when_the_network_is_back(echo: Proxy) -> None:
    reader, writer = await dial(echo)
    echo.poison(Toxics(hole=True), 1.0)
    writer.write(HELLO)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await reader.read(1)
    echo.heal()
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    await dial(echo)


async def test_a_reset_is_a_reset(echo: Proxy) -> None:
    reader, _ = await dial(echo)
    assert echo.reset_some(1.0) == 1
    with pytest.raises(ConnectionResetError):
        await reader.read(1)


async def test_a_share_of_the_connections_suffers(echo: Proxy) -> None:
    clients = [await dial(echo) for _ in range(40)]
    echo.poison(Toxics(stalled=True), 0.5)
    assert 5 < sum(link.toxics.stalled for link in echo.links) < 35
    echo.heal()
    assert not any(link.toxics.stalled for link in echo.links)
    del clients


def test_messages_are_cut_where_they_end_however_they_come() -> None:
    messages = [b"C\0\0\0\x0bCOMMIT\0", b"Z\0\0\0\x05I", b"A\0\0\0\x0e\0\0\0\x01ch\0ok\0"]
    for size in range(1, 20):
        stream, text, found = wire.ServerStream(), b"".join(messages), []
        for at in range(0, len(text), size):
            found += list(stream.feed(text[at : at + size]))
        assert found == messages
    assert [wire.is_commit(message) for message in messages] == [True, False, False]
    assert [wire.is_notification(message) for message in messages] == [False, False, True]


@pytest.fixture
async def database_proxy(database: str) -> AsyncIterator[tuple[DatabaseProxy, str]]:
    """A proxy before a real PostgreSQL, and the address through it."""
    parts = urlsplit(database)
    folder = parse_qs(parts.query)["host"][0]
    loop = asyncio.get_running_loop()
    proxy = DatabaseProxy(
        random.Random(1), lambda end: loop.create_unix_connection(lambda: end, f"{folder}/.s.PGSQL.5432")
    )
    await proxy.start()
    yield proxy, f"postgresql://{parts.username}@127.0.0.1:{proxy.port}{parts.path}?sslmode=disable"
    await proxy.stop()


@pytest.mark.parametrize(("chance", "cities"), [("cut_commit", 1), ("lose_commit", 0)])
async def test_who_commits_cannot_tell_a_lost_answer_from_a_lost_question(
    database: str, database_proxy: tuple[DatabaseProxy, str], chance: str, cities: int
) -> None:
    proxy, url = database_proxy
    connection = await asyncpg.connect(url)
    setattr(proxy, chance, 1.0)
    with pytest.raises((asyncpg.PostgresConnectionError, ConnectionError)):
        async with connection.transaction():
            await connection.execute("INSERT INTO city VALUES ('c', 'c', 'e')")
    connection.terminate()
    proxy.heal()
    direct = await asyncpg.connect(database)
    assert await direct.fetchval("SELECT count(*) FROM city") == cities
    await direct.close()


async def test_notifications_are_kept_back_and_their_link_frozen_alone(
    database_proxy: tuple[DatabaseProxy, str],
) -> None:
    proxy, url = database_proxy
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener, speaker = await asyncpg.connect(url), await asyncpg.connect(url)
    await listener.add_listener("ch", lambda *parts: heard.put_nowait(parts[-1]))
    await speaker.execute("NOTIFY ch, 'one'")
    assert await heard.get() == "one"
    proxy.deaf_to_notifications = True
    await speaker.execute("NOTIFY ch, 'two'")
    assert await listener.fetchval("SELECT 1") == 1
    assert heard.empty(), "what is kept back is gone"
    proxy.heal()
    proxy.poison_listeners(Toxics(stalled=True))
    await speaker.execute("NOTIFY ch, 'three'")
    assert await speaker.fetchval("SELECT 1") == 1
    assert heard.empty()
    proxy.heal()
    assert await heard.get() == "three"
    await listener.close()
    await speaker.close()
