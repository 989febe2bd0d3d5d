"""Grabs a second over real crew sockets: from the frame of the grab to the frame with its durable verdict.

500 crews are connected to one `qiangdan engine` process; each has a zone of its own, whose orders are offered to it
alone, and sends the next grab when the last is judged. The peer is an echo on a plain Sanic websocket in a process
of the same kind, with the same clients and as many messages under way. Beside it the commits of pgbench, one claim
per transaction. All take turns; medians of the turns. Clients, engine and PostgreSQL share the machine.
"""

from benchmarks.figures import Row, at_least, median, row
from benchmarks.pgbench import CLIENTS, WITHOUT_COUNTER, Pgbench
from benchmarks.phones import Exchange, Phone, connect, grab, hang_up, sign_in
from benchmarks.stage import Stage, another_database, echo, engine, postgres, run_async, token_of

NAME = "grab-e2e"
TARGET_RATIO = 0.45
UNIT = "grabs/s"


def run(*, crews: int = 500, each: int = 20, rounds: int = 5) -> list[Row]:
    """Measure `rounds` turns in which every crew grabs `each` orders."""
    with postgres() as url:
        return run_async(_measure(url, crews, each, rounds))


async def _measure(url: str, crews: int, each: int, rounds: int) -> list[Row]:
    commits = max(crews * each // 5 // CLIENTS, 1) * CLIENTS
    peer_stage = await Stage.build(await another_database(url, "peer"), zones=10, crews=20)
    await peer_stage.open_orders([n % 10 for n in range(commits * (rounds + 1))])
    await peer_stage.close()
    pgbench = await Pgbench.on(peer_stage.url)
    stage = await Stage.build(url, zones=crews, crews=crews)
    warm = max(each // 4, 1)
    orders = await stage.open_orders([n % crews for n in range(crews * (warm + each * rounds))])

    ours, plain, bare = [], [], []
    with engine(url) as engine_port, echo() as echo_port:
        phones = await sign_in(engine_port, [token_of(crew.id) for crew in stage.crews])
        others = await connect(echo_port, "/ws", [None] * crews, lambda phone, frame: None)
        await _turn(phones, orders[: crews * warm], won=True)
        await _turn(others, orders[: crews * warm], won=False)
        await pgbench.claims(commits)
        for turn in range(rounds):
            begin = crews * (warm + each * turn)
            asked = orders[begin : begin + crews * each]
            ours.append(await _turn(phones, asked, won=True))
            plain.append(await _turn(others, asked, won=False))
            bare.append(await pgbench.claims(commits))
        await hang_up(others)
    claimed = await stage.count("SELECT count(*) FROM orders WHERE state = 'claimed'")
    await stage.close()
    if claimed != len(orders):
        raise RuntimeError(f"{len(orders)} orders were grabbed, {claimed} are claimed")
    return [
        at_least(
            TARGET_RATIO,
            row(NAME, "to-verdict", UNIT, ours=median(ours), peer=median(plain), peer_name="echo on a Sanic websocket"),
        ),
        row(NAME, "to-verdict", UNIT, ours=median(ours), peer=median(bare), peer_name=WITHOUT_COUNTER),
    ]


async def _turn(phones: list[Phone], orders: list[str], *, won: bool) -> float:
    """Let each phone grab its orders, and return the answers a second; `won` says that each must win."""
    frames = [[grab(f"g-{order}", order) for order in orders[n :: len(phones)]] for n in range(len(phones))]
    exchange = Exchange(phones, frames)
    took_s = await exchange.run()
    if len(exchange.answers) != len(orders):
        raise RuntimeError(f"{len(orders)} messages got {len(exchange.answers)} answers")
    if won and (lost := [answer for answer in exchange.answers if b'"won":true' not in answer]):
        raise RuntimeError(f"{len(lost)} grabs did not win: {lost[0].decode()}")
    return len(orders) / took_s
