"""Draws of p(x|θ) in the shape of a model's data, exact ones or by long Gibbs runs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike, NDArray
from pytensor.graph.basic import Variable

from pymc_ebm.distribution.observed_ebm import ObservedEBM, observed_ebms
from pymc_ebm.sampling._gibbs import gibbs

__all__ = ["AuxiliaryData", "Sampler", "auxiliary_data"]

#: ``sampler(rng, draws, *params) -> (draws, *event)``.
Sampler = Callable[..., ArrayLike]


@dataclass(frozen=True, eq=False)
class AuxiliaryData:
    """Draws of data of the same shape as those of an observed EBM.

    Attributes
    ----------
    ebm : ObservedEBM
    sampler : callable or None
    sweeps : int
    """

    ebm: ObservedEBM
    sampler: Sampler | None
    sweeps: int

    @property
    def possible(self) -> Variable:
        """Graph of whether the parameters lie in their domain."""
        conditions = [np.array(True), *self.ebm.conditions]
        return pt.all(pt.stack([pt.all(c) for c in conditions]))

    def draw(self, rng: np.random.Generator, params: list[NDArray], data: NDArray) -> NDArray:
        """Draws of p(x | θ) in the shape of the data, together where rows of θ are equal."""
        event_shape = self.ebm.reference.event_shape
        flat = data.reshape(-1, *event_shape)
        rows = self.ebm.energy.rows_of(params, data.shape[: data.ndim - len(event_shape)])
        draws = np.empty(flat.shape, dtype=data.dtype)
        for kind in range(len(rows)):
            mine = rows.kinds == kind
            draws[mine] = self._draw_row(rng, rows.row(kind), flat[mine])
        return draws.reshape(data.shape)

    def _draw_row(self, rng, row, data) -> NDArray:
        if self.sampler is None:
            draws = gibbs(
                self.ebm.energy,
                *row,
                reference=self.ebm.reference,
                draws=1,
                chains=len(data),
                tune=self.sweeps - 1,
                initvals=data,
                random_seed=rng,
                progressbar=False,
                clusters=True,
                return_inferencedata=False,
            )
            return np.asarray(draws)[:, 0]
        draws = np.asarray(self.sampler(rng, len(data), *row))
        if draws.shape != data.shape:
            raise ValueError(
                f"The sampler of {self.ebm.name} returned shape {draws.shape}, not (draws, *event) "
                f"= {data.shape}. Return one independent draw in each row."
            )
        if draws.dtype.kind == "f" and np.isnan(draws).any():
            values = ", ".join(np.array2string(value, threshold=6) for value in row)
            raise ValueError(
                f"The sampler of {self.ebm.name} returned NaN at the parameters {values}. Return "
                "draws wherever the prior goes, or let the domain= of the EBM end there."
            )
        return draws


def auxiliary_data(model: pm.Model, sampler, sweeps: int) -> list[AuxiliaryData]:
    """The observed EBMs of a model with their samplers.

    Parameters
    ----------
    model : pm.Model
    sampler : callable, dict of callable or None
    sweeps : int

    Returns
    -------
    list of AuxiliaryData

    Raises
    ------
    ValueError
        Samplers that do not fit the names of the EBMs; continuous events without a sampler.
    """
    ebms = observed_ebms(model)
    names = [ebm.name for ebm in ebms]
    if callable(sampler) and len(ebms) > 1:
        raise ValueError(
            f"There is one sampler for the EBMs {', '.join(names)}. Give a dict by name."
        )
    samplers = {names[0]: sampler} if callable(sampler) else dict(sampler or {})
    unknown = set(samplers) - set(names)
    if unknown:
        raise ValueError(
            f"There are samplers for {', '.join(sorted(unknown))}, and the observed EBMs are "
            f"{', '.join(names)}. Name those."
        )
    if sweeps < 1:
        raise ValueError(f"sweeps is {sweeps}. Give the number of Gibbs sweeps, 1 or more.")
    for ebm in ebms:
        if ebm.name not in samplers and not ebm.reference.discrete:
            raise ValueError(
                f"{ebm.name} is continuous, and Gibbs sampling draws discrete events only. Give "
                "sampler=, a function (rng, draws, *params) of exact draws."
            )
    return [AuxiliaryData(ebm, samplers.get(ebm.name), sweeps) for ebm in ebms]
