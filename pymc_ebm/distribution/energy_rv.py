"""The random variable of an energy-based model: its draws, its logp, where it starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.dist_math import check_parameters
from pymc.distributions.distribution import _support_point
from pymc.distributions.transforms import _default_transform
from pymc.logprob.abstract import _logcdf, _logprob
from pytensor.graph.basic import Variable
from pytensor.tensor.random.op import RandomVariable

from pymc_ebm.distribution.missing import Missing
from pymc_ebm.distribution.moving_support import MovingSupport
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import without_unit_batch
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference._rows import RowsReference
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.transforms import ToBox

__all__ = ["EnergyRV", "Spec", "importance_resampling"]


@dataclass(frozen=True)
class Spec:
    """What identifies an energy-based model besides its parameters."""

    energy: Energy
    reference: Reference
    domain: Callable | None
    sampler: Callable
    moving: MovingSupport | None = None
    missing: Missing | None = None

    def energies(self, x, params: Sequence[Variable]):
        """Graph of E(x | θ) of events ``(*batch, *event)``."""
        if self.moving is None:
            return self.energy.of_data(x, params, self.reference.event_shape)
        of_x, n_params = self.moving.of_x, self.moving.n_params
        return of_x.of_data(x, params[:n_params], self.reference.event_shape)

    def inside(self, x, params: Sequence[Variable]):
        """Graph of whether events ``(*batch, *event)`` lie in the space."""
        if self.moving is None:
            return self.reference.space.inside(x)
        return self.moving.inside(x, params)

    def conditions(self, params) -> list:
        """Conditions under which parameters lie in the domain."""
        if self.domain is None:
            return []
        of_energy = params if self.moving is None else params[: self.moving.n_params]
        returned = self.domain(*of_energy)
        found = list(returned) if isinstance(returned, list | tuple) else [returned]
        # PyTensor has a type for the product of conditions that NumPy calls a whole number.
        kinds = [np.dtype(getattr(c, "dtype", type(c))).kind for c in found]
        if not found or not set(kinds) <= set("biu"):
            raise TypeError(
                f"domain= returned {returned!r}. Return one condition on the "
                "parameters, or a list of them, such as lambda mu, sigma: sigma > 0."
            )
        return found


class EnergyRV(RandomVariable):
    """Random variable of an energy-based model."""

    name = "EBM"
    _print_name = ("EBM", "\\operatorname{EBM}")
    __props__ = (*RandomVariable.__props__, "spec")

    def __init__(self, spec: Spec, **kwargs):
        self.spec = spec
        super().__init__(**kwargs)

    def __str__(self):
        return f"EBM_rv{{{self.spec.reference.description}}}"

    def rng_fn(self, rng, *args):
        """Draw by the sampler; all draws that share a row of parameters in one call."""
        *params, size = args
        if isinstance(self.spec.reference, RowsReference):
            return self._draw_rows(rng, params, size, self.spec.reference)
        rows = self.spec.energy.rows_of(params, () if size is None else tuple(size))
        if self._resamples:
            from pymc_ebm.sampling.rows import resample_rows

            draws = resample_rows(
                self.spec.energy, rows.distinct, rows.kinds, self.spec.reference, rng
            ).astype(self.dtype)
        else:
            draws = np.empty((len(rows.kinds), *self.spec.reference.event_shape), dtype=self.dtype)
        for kind in range(len(rows)):
            mine = rows.kinds == kind
            if not self._resamples:
                draws[mine] = self._draw(rng, rows.row(kind), int(mine.sum()))
            if self.spec.moving is not None:
                draws[mine] = self.spec.moving.in_place(draws[mine], rows.row(kind))
        return draws.reshape((*rows.batch, *self.spec.reference.event_shape))

    @property
    def _resamples(self) -> bool:
        """Whether draws are points by their weights, which all rows have at once."""
        return self.spec.sampler is importance_resampling()

    def _draw_rows(self, rng, params, size, reference: RowsReference):
        """Draws where each row has points of its own, along the last batch axis."""
        from pymc_ebm.sampling.rows import resample_rows

        energy, rows = self.spec.energy, (reference.n_rows,)
        batch = np.broadcast_shapes(
            *energy.batch_shapes(params), rows if size is None else tuple(size), rows
        )
        params = [
            np.broadcast_to(v, (*batch, *core)).reshape(-1, reference.n_rows, *core)
            for v, core in zip(params, energy.core_shapes(params), strict=True)
        ]
        draws = np.empty((math.prod(batch[:-1]), reference.n_rows, *reference.event_shape))
        every = np.arange(reference.n_rows)
        for i in range(len(draws)):
            some = [v[i] for v in params]
            if self._resamples:
                draws[i] = resample_rows(energy, some, every, reference, rng)
            else:
                for r in range(reference.n_rows):
                    draws[i, r] = self._draw(rng, [v[r] for v in some], 1, reference.row(r))[0]
        return draws.astype(self.dtype).reshape((*batch, *reference.event_shape))

    def _draw(self, rng, row, n_draws: int, reference: Reference | None = None):
        """Independent draws at one row: as many chains, one draw of each."""
        spec = self.spec
        draws = spec.sampler(
            spec.energy,
            *row,
            reference=reference or spec.reference,
            draws=1,
            chains=n_draws,
            random_seed=rng,
            signature=spec.energy.signature,
            progressbar=False,
            return_inferencedata=False,
        )
        return draws.reshape((n_draws, *spec.reference.event_shape))


def importance_resampling() -> Callable:
    """How draws are made where nothing is said."""
    from pymc_ebm.sampling import importance_resampling  # brings numba and ArviZ

    return importance_resampling


@_logprob.register(EnergyRV)
def _ebm_logp(op, values, rng, size, *params, **kwargs):
    [value] = values
    spec = op.spec
    row = without_unit_batch(params, op.ndims_params)
    missing = spec.missing
    if missing is not None and missing.are_of(value):
        value = pt.constant(missing.filled)
    else:
        missing = None
    energies = spec.energies(value, row)
    log_z = log_partition(spec.energy, *row, reference=spec.reference)
    if missing is None:
        logp = -energies - log_z
    else:
        logp = missing.logp(energies, log_z, row, op.ndims_params)
    logp = pt.switch(pt.eq(log_z, -np.inf), -np.inf, logp)
    logp = pt.switch(spec.inside(value, row), logp, -np.inf)
    conditions = spec.conditions(params)
    if conditions:
        logp = check_parameters(logp, *conditions, msg="domain of the EBM's parameters")
    return logp


@_logcdf.register(EnergyRV)
def _ebm_logcdf(op, value, *inputs, **kwargs):
    raise NotImplementedError(
        "an EBM has no distribution function, which pm.Truncated and pm.Censored need. For a "
        "truncated model give EBM the bounds themselves, support=(lower, upper)."
    )


@_support_point.register(EnergyRV)
def _ebm_support_point(op, rv, rng, size, *params):
    """A reference point near the middle of the reference."""
    middle = op.spec.reference.middle()
    if op.spec.moving is not None:
        middle = op.spec.moving.place(middle, params)
    return pt.broadcast_to(middle, rv.shape)


@_default_transform.register(EnergyRV)
def _ebm_default_transform(op, rv):
    moving = op.spec.moving
    if moving is None:
        return op.spec.reference.space.transform
    sides = moving.lower is not None, moving.upper is not None
    # Inputs are the generator, the size and then the parameters.
    return ToBox(lambda *inputs: moving.at(inputs[2:])[:2], *sides, len(moving.event_shape))
