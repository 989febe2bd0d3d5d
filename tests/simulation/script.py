"""What happens in a seed: drawn beforehand, so that a failing seed can be made smaller by leaving actions out.

An action names no order that does not exist yet: it holds numbers, and what they choose is looked up as it happens.
"""

from random import Random

from msgspec import Struct

BUSY_S = 4.0
"""Until when things happen; after it everything is mended and must come to rest."""

_OFTEN = (
    "grab",
    "grab",
    "grab",
    "decline",
    "progress",
    "progress",
    "hand_back",
    "again",
    "again",
    "override",
    "override",
)
_SELDOM = ("cut", "cut", "switch", "stall", "vanish", "shift", "move", "rate", "suspend", "crash", "crash", "away")


class Action(Struct, frozen=True):
    """At `at_s` something of this kind happens; `who`, `which` and `how` choose among what there is then."""

    at_s: float
    kind: str
    who: int
    which: int
    how: int


class Script(Struct, frozen=True):
    """The conditions of a seed, and its actions by time."""

    seed: int
    nodes: int
    crews: int
    keepers: int
    planners: int
    pause_share: float
    lost_answers: float
    lost_hints: float
    slow_s: float
    actions: tuple[Action, ...]


def write(seed: int) -> Script:
    """Return the script of a seed."""
    rng = Random(f"script {seed}")
    crews = rng.choice((2, 3, 3))

    def action(at_s: float, kind: str) -> Action:
        return Action(round(at_s, 3), kind, rng.randrange(1000), rng.randrange(1000), rng.randrange(1000))

    actions = [action(rng.uniform(0, 0.6 * BUSY_S), "report") for _ in range(rng.choice((1, 2, 2, 3)))]
    actions += [action(0, kind) for kind in ("eager", "diligent") for _ in range(crews) if rng.random() < 0.4]
    actions += [action(rng.uniform(0.3, BUSY_S), rng.choice(_OFTEN)) for _ in range(rng.randrange(3, 11))]
    actions += [action(rng.uniform(0.3, BUSY_S), rng.choice(_SELDOM)) for _ in range(rng.randrange(1, 6))]
    return Script(
        seed=seed,
        nodes=rng.choice((1, 2, 2)),
        crews=crews,
        keepers=rng.choice((1, 1, 1, 2)),
        planners=rng.choice((1, 1, 1, 2)),
        pause_share=rng.choice((0.05, 0.15, 0.5)),
        lost_answers=rng.choice((0.0, 0.05, 0.2)),
        lost_hints=rng.choice((0.0, 0.5)),
        slow_s=rng.choice((0.01, 0.05, 0.3)),
        actions=tuple(sorted(actions, key=lambda each: each.at_s)),
    )
