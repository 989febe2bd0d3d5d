"""Problem in, plan out; imports geo only.

Read `problem`, `plan`, then `solving`. `solve` plans, `assign_now` answers at once; both are pure but for the clock
that they stop by.
"""

from optimizer.plan import Figures, LeftOut, Plan, Route, Stop
from optimizer.problem import UNREACHABLE, Crew, Fault, Job, Prices, Problem, ProblemError
from optimizer.solving import solve
from optimizer.stopping import FirstOf, Iterations, Seconds, Stopping

__all__ = [
    "UNREACHABLE",
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
