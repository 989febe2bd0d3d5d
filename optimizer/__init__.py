"""Problem in, plan out; imports geo only.

Read `problem`, `plan`, then `solving`. `solve` plans, `assign_now` answers at once; both are pure but for the clock
that they stop by. `solve` is loaded at its first use: the compiled search takes as much memory as an engine itself.
"""

from typing import TYPE_CHECKING, Any

from optimizer.plan import Figures, LeftOut, Plan, Route, Stop
from optimizer.problem import UNREACHABLE, Crew, Fault, Job, Prices, Problem, ProblemError
from optimizer.stopping import Capped, FirstOf, Iterations, Seconds, Stopping

if TYPE_CHECKING:
    from optimizer.solving import solve

__all__ = [
    "UNREACHABLE",
    "Capped",
    "Crew",
    "Fault",
    "Figures",
    "FirstOf",
    "Iterations",
    "Job",
    "LeftOut",
    "Plan",
    "Prices",
    "Problem",
    "ProblemError",
    "Route",
    "Seconds",
    "Stop",
    "Stopping",
    "solve",
]


def __getattr__(name: str) -> Any:
    """Load `solve` where somebody asks for it."""
    if name == "solve":
        from optimizer.solving import solve

        return solve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
