"""Random numbers inside compiled code, from a state of our own: the same seed gives the same plan on every machine.

xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
"""

import numpy as np
import numpy.typing as npt

from optimizer.search.compiled import inlined

Random = npt.NDArray[np.uint64]


@inlined
def uniform(random: Random) -> float:
    """Return a number from 0 up to, not including, 1."""
    x = random[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    random[0] = x
    return float((x * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(11)) * 1.1102230246251565e-16


@inlined
def below(random: Random, n: int) -> int:
    """Return a whole number from 0 up to, not including, n; n is far below 2^53."""
    return int(uniform(random) * n)
