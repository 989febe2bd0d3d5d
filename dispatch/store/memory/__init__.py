"""The engine's transactions without PostgreSQL: one city in memory, in the caller's time, with nothing to wait for.

`MemoryCity.run` runs a step of the engine as one transaction: what it wrote is kept where the step returns, and taken
back where it raises. The step gets a `Tx` whose rows answer exactly as those over SQL do; a test runs the same
commands on both and compares every row and event. Simulations and proofs stand on this, never a server: there is one
transaction at a time, so locks are nothing, and no row outlives the process.
"""

from dispatch.store.memory.city import MemoryCity
from dispatch.store.memory.tables import Round, Tables

__all__ = ["MemoryCity", "Round", "Tables"]
