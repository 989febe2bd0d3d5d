"""`crews.toml`: how the simulated crews answer offers and set off. Numbers are assumptions, each can be set."""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from crew_client.behaviour import Behaviour
from dispatch.operator_errors import OperatorError
from dispatch.problems import problem_of

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Share = Annotated[float, Meta(ge=0, le=1)]


class BehaviourError(OperatorError):
    """A file of behaviour cannot be used; the message names the key and the way out."""


class CrewBehaviour(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `crews.toml` can set; docs/simulate.md explains each.

    reaction_*: seconds from an offer on the screen to the answer, lognormal. keenness: chance to grab an offer next
    door with empty hands; it falls by 1/e each `keen_within_m` metres and is multiplied by `keenness_per_order` for
    each order held or bid for. decline_share: of the offers not grabbed, how many are declined aloud.
    look_again_s: after how long an idle crew looks once more at the offers that it passed over. setting_off_*: from
    holding an order to driving off. dispatcher_s: until a dispatcher opens a report from outside every zone.
    """

    reaction_median_s: Seconds = 3.5
    reaction_sigma: Annotated[float, Meta(ge=0, le=3)] = 0.6
    keenness: Share = 0.95
    keen_within_m: Annotated[float, Meta(gt=0, le=1_000_000)] = 4000.0
    keenness_per_order: Share = 0.3
    decline_share: Share = 0.5
    look_again_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    setting_off_median_s: Seconds = 0.0
    setting_off_sigma: Annotated[float, Meta(ge=0, le=3)] = 0.5
    dispatcher_s: Seconds = 60.0

    def dice(self) -> Behaviour:
        """Return the technician of the fleet who behaves so."""
        return Behaviour(
            reaction_median_s=self.reaction_median_s,
            reaction_sigma=self.reaction_sigma,
            keenness=self.keenness,
            keen_within_m=self.keen_within_m,
            keenness_per_order=self.keenness_per_order,
            decline_share=self.decline_share,
            setting_off_median_s=self.setting_off_median_s,
            setting_off_sigma=self.setting_off_sigma,
        )


def read_behaviour(path: Path | None) -> CrewBehaviour:
    """Return the behaviour that a file sets, what it leaves out as usual; raise `BehaviourError`."""
    if path is None:
        return CrewBehaviour()
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BehaviourError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BehaviourError(f"{path} is not TOML: {error}.") from None
    for key in values:
        if key not in CrewBehaviour.__struct_fields__:
            near = difflib.get_close_matches(key, CrewBehaviour.__struct_fields__, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(CrewBehaviour.__struct_fields__)}."
            raise BehaviourError(f"{path}: the key {key} is not known; {hint}")
    try:
        return msgspec.convert(values, CrewBehaviour)
    except msgspec.ValidationError as error:
        problem = problem_of(error)
        raise BehaviourError(f"{path}, key {problem.pointer.strip('/')}: {problem.detail}.") from None
