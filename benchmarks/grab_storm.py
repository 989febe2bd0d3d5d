"""1,000 crews grab one order at once: the time until the last has its durable answer, one winner and 999 refusals.

All crews are connected to one `qiangdan engine` process and are offered every order; in each turn the grabs for one
order are sent in one go. The peer is the time that an echo on a plain Sanic websocket needs for the same messages of
the same clients. Both take turns; the percentiles are over the turns.
"""

from benchmarks.figures import Row, at_most, percentile, row
from benchmarks.phones import Exchange, Phone, connect, grab, hang_up, sign_in
from benchmarks.stage import Stage, echo, engine, postgres, run_async, token_of

NAME = "grab-storm"
TARGET_RATIO = 5.0
WARM = 3


def run(*, crews: int = 1_000, storms: int = 40) -> list[Row]:
    """Measure `storms` turns."""
    with postgres() as url:
        return run_async(_measure(url, crews, storms))


async def _measure(url: str, crews: int, storms: int) -> list[Row]:
    stage = await Stage.build(url, zones=1, crews=crews)
    orders = await stage.open_orders([0] * (storms + WARM))
    ours, plain = [], []
    with engine(url) as engine_port, echo() as echo_port:
        phones = await sign_in(engine_port, [token_of(crew.id) for crew in stage.crews])
        others = await connect(echo_port, "/ws", [None] * crews, lambda phone, frame: None)
        for order in orders:
            ours.append(await _storm(phones, order, judged=True))
            plain.append(await _storm(others, order, judged=False))
        await hang_up(others)
    kept = await stage.count("SELECT count(*) FROM crew_grab WHERE reason IS NOT NULL")
    await stage.close()
    if kept != crews * len(orders):
        raise RuntimeError(f"{crews * len(orders)} grabs were sent, {kept} answers are kept")
    return [
        at_most(
            TARGET_RATIO,
            row(
                NAME,
                f"last-answer-p{share * 100:.0f}",
                "ms, less is better",
                ours=1e3 * percentile(ours[WARM:], share),
                peer=1e3 * percentile(plain[WARM:], share),
                peer_name="echo on a Sanic websocket",
            ),
        )
        for share in (0.5, 0.99)
    ]


async def _storm(phones: list[Phone], order: str, *, judged: bool) -> float:
    """Let every phone grab the same order, and return the seconds to the last answer."""
    exchange = Exchange(phones, [[grab(f"g-{order}", order)] for _ in phones])
    took_s = await exchange.run()
    if judged:
        winners = sum(b'"won":true' in answer for answer in exchange.answers)
        losers = sum(b'"reason":"taken"' in answer for answer in exchange.answers)
        if (winners, losers) != (1, len(phones) - 1):
            raise RuntimeError(f"{len(phones)} crews grabbed {order}: {winners} won, {losers} were told it was taken")
    return took_s
