"""`python -m tests.simulation SEED`: live through a seed and print its trace."""

import sys

from tests.simulation.script import write
from tests.simulation.world import World



def _short(word: object) -> str:
    """Return a word of the trace; of an order what decides."""
    if not isinstance(word, dict):
        return str(word)
    order = word.get("order")
    if isinstance(order, dict):
        told = f"{order['id']} v{order['version']} {order['state']} of {order['crew']}"
        rest = {name: value for name, value in word.items() if name not in ("order", "seq", "type", "closes_at", "device_at")}
        return f"[{told}] {rest}"
    return str(word)


if __name__ == "__main__":
    world = World(write(int(sys.argv[1])), tracing=True)
    world.run()
    for at, words in world.lines or ():
        print(f"{at:8.3f}", *(_short(word) for word in words))
