"""The step method of latent discrete EBMs: the moves of their space, one event at a time."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pymc as pm
from pymc.blocking import RaveledVars
from pymc.initial_point import PointType
from pymc.pytensorf import make_shared_replacements
from pymc.step_methods.arraystep import ArrayStepShared
from pymc.step_methods.compound import Competence, StepMethodState
from pymc.step_methods.metropolis import delta_logp
from pymc.step_methods.state import dataclass_state
from pymc.util import get_value_vars_from_user_vars

from pymc_ebm.distribution.energy_rv import EnergyRV
from pymc_ebm.space.base import Space

__all__ = ["StateMetropolis"]


@dataclass_state
class StateMetropolisState(StepMethodState):
    """The method keeps nothing from one step to the next."""


class StateMetropolis(ArrayStepShared):
    """Metropolis steps of a discrete `EBM` without data by the moves of its space.

    PyMC's own proposals change all sites of an event at once and to values that it does not have,
    so that they stand still. One step here proposes as many moves of each event as it has sites.

    Parameters
    ----------
    vars : list
        One variable, an `EBM` of states or whole numbers.
    model, rng, initial_point, compile_kwargs, blocked : optional
        As for PyMC's step methods.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> spins = ebm.reference.enumeration([-1, 1], shape=3, complete=True)
    >>> with pm.Model() as model:
    ...     s = ebm.EBM("s", 0.3, energy=lambda s, h: -h * s.sum(-1), reference=spins)
    ...     step = StateMetropolis([s])
    >>> point, _ = step.step({"s": np.array([1, 1, 1])})
    >>> bool(np.isin(point["s"], [-1, 1]).all())
    True
    """

    name = "state_metropolis"
    default_blocked = False
    stats_dtypes_shapes: ClassVar[dict[str, Any]] = {"accept": (np.float64, [])}
    _state_class = StateMetropolisState

    def __init__(
        self,
        vars,
        *,
        model: pm.Model | None = None,
        rng=None,
        initial_point: PointType | None = None,
        compile_kwargs: dict[str, Any] | None = None,
        blocked: bool = False,
    ):
        model = pm.modelcontext(model)
        values = get_value_vars_from_user_vars(vars, model)
        point = model.initial_point() if initial_point is None else initial_point
        if len(values) != 1:
            raise ValueError(f"There are {len(values)} variables. Give one step method to each.")
        reference = model.values_to_rvs[values[0]].owner.op.spec.reference
        self.space: Space = reference.space
        self.event_shape: tuple[int, ...] = reference.event_shape
        shared = make_shared_replacements(point, values, model)
        self.delta_logp = delta_logp(point, model.logp(), values, shared, compile_kwargs)
        super().__init__(values, shared, blocked=blocked, rng=rng)

    def astep(self, q0: RaveledVars) -> tuple[RaveledVars, list[dict[str, Any]]]:
        """One sweep over all events."""
        events = np.array(q0.data).reshape(-1, *self.event_shape)
        accepted = 0.0
        steps = [(e, m) for e in range(len(events)) for m in self.space.moves]
        steps = steps * max(math.prod(self.event_shape), 1)
        for event, move in steps:
            proposed, log_ratio = move.propose(self.rng, events[event : event + 1], 1.0)
            trial = events.copy()
            trial[event] = proposed[0]
            change = float(self.delta_logp(trial.ravel(), events.ravel())) + log_ratio[0]
            if np.log(self.rng.random()) < change:
                events, accepted = trial, accepted + 1
        rate = accepted / len(steps)
        return RaveledVars(events.ravel(), q0.point_map_info), [{"accept": rate}]

    @staticmethod
    def competence(var, has_grad) -> Competence:
        """Ideal for an `EBM` of states or whole numbers."""
        op = getattr(var.owner, "op", None)
        discrete = isinstance(op, EnergyRV) and op.spec.reference.space.discrete
        return Competence.IDEAL if discrete else Competence.INCOMPATIBLE
