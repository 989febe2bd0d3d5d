"""Solvers for tests: the planner's questions answered in this process, or not at all."""

from dispatch.planner import Planner
from dispatch.solvers import SolverFailed
from optimizer.rolling import Answer, Question, answer
from optimizer.stopping import Iterations


class SolverHere:
    """Answers at once, by so many iterations in the place of seconds; keeps the questions."""

    def __init__(self, iterations: int = 2_000) -> None:
        self.iterations = iterations
        self.questions: list[Question] = []

    def start(self) -> None:
        """Nothing to start."""

    async def solve(self, question: Question, *, seconds: float) -> Answer:
        """Answer."""
        self.questions.append(question)
        return answer(question, stop=Iterations(self.iterations))

    async def close(self) -> None:
        """Nothing to close."""


class NoSolver(SolverHere):
    """Never answers."""

    async def solve(self, question: Question, *, seconds: float) -> Answer:
        """Fail."""
        raise SolverFailed("the test has none")


plan = Planner(SolverHere()).tick
