"""The members of VROOM's JSON that are read, with their ranges."""

from typing import Annotated

import msgspec
from msgspec import Meta

from optimizer.problem import MAX_LEG, MAX_SECONDS

Time = Annotated[int, Meta(ge=0, le=MAX_SECONDS)]
Leg = Annotated[int, Meta(ge=0, le=MAX_LEG)]
Amount = Annotated[int, Meta(ge=0, le=10**9)]
Index = Annotated[int, Meta(ge=0)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Place = Annotated[list[float], Meta(min_length=2, max_length=2)]
Legs = list[list[Leg | None]]
Window = Annotated[list[Time], Meta(min_length=2, max_length=2)]

DEFAULT_PROFILE = "car"


class Costs(msgspec.Struct, frozen=True):
    """What a vehicle costs: only VROOM's own default is planned with."""

    fixed: int = 0
    per_hour: int = 3600
    per_km: int = 0


class Vehicle(msgspec.Struct, frozen=True):
    """A vehicle: where it starts and ends, when, what it can.

    What is not planned with is read all the same, so that it is refused only where it would change the plan.
    """

    id: Id
    start: Place | None = None
    start_index: Index | None = None
    end: Place | None = None
    end_index: Index | None = None
    profile: str = DEFAULT_PROFILE
    description: str | None = None
    capacity: list[Amount] = []
    skills: list[int] = []
    time_window: Window | None = None
    speed_factor: Annotated[float, Meta(ge=0.01, le=5)] = 1.0
    max_tasks: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    costs: Costs = Costs()
    breaks: list[object] = []
    steps: list[object] = []
    max_travel_time: Time | None = None
    max_distance: int | None = None


class JobShape(msgspec.Struct, frozen=True):
    """A job: where, how long, when, for whom; `due`, `weight` and `optional` are ours."""

    id: Id
    location: Place | None = None
    location_index: Index | None = None
    description: str | None = None
    setup: Time = 0
    service: Time = 0
    delivery: list[Amount] = []
    pickup: list[Amount] = []
    skills: list[int] = []
    priority: Annotated[int, Meta(ge=0, le=100)] = 0
    time_windows: list[Window] = []
    due: Time | None = None
    weight: Annotated[int, Meta(ge=0, le=10**6)] = 1
    optional: bool = False


class Matrices(msgspec.Struct, frozen=True):
    """The matrices of one profile; `distances` are added up for the output, `costs` refused."""

    durations: Legs
    distances: Legs | None = None
    costs: object = None


class Names(msgspec.Struct, frozen=True):
    """The members of vehicles and jobs by their names alone."""

    vehicles: list[dict[str, msgspec.Raw]] = []
    jobs: list[dict[str, msgspec.Raw]] = []


class Document(msgspec.Struct, frozen=True):
    """A whole problem. As in VROOM, a member that nobody knows changes nothing; `shipments` would."""

    vehicles: list[Vehicle] = []
    jobs: list[JobShape] = []
    shipments: list[object] = []
    matrices: dict[str, msgspec.Raw] = {}
    """By profile; each is decoded as `Matrices` by itself, so that a fault names its profile."""
    matrix: Legs | None = None
    """What was `matrices.car.durations` before VROOM 1.9, which takes it still."""
    options: dict[str, object] = {}

    @property
    def profiles(self) -> frozenset[str]:
        """The profiles that have a matrix; none where travel goes by coordinates."""
        return frozenset(self.matrices) | ({DEFAULT_PROFILE} if self.matrix else frozenset[str]())


class StepOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step of a route that was written before; `job` is what older outputs call the `id` of a job."""

    type: str
    id: int | None = None
    job: int | None = None
    arrival: int = 0
    duration: int = 0
    setup: int = 0
    service: int = 0
    waiting_time: int = 0

    @property
    def names(self) -> int | None:
        """The job that the step is of."""
        return self.job if self.id is None else self.id


class RouteOut(msgspec.Struct, frozen=True):
    """A route that was written before."""

    vehicle: int
    steps: list[StepOut]


class Former(msgspec.Struct, frozen=True):
    """A former output."""

    routes: list[RouteOut]
