"""The default reference of events in many dimensions: annealed at the likelihood's maximum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.distribution.of_free_values import OfFreeValues, Unforeseeable
from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.annealing._annealed import annealed
from pymc_ebm.reference.annealing.climb import NotArrived, climb
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.base import Space

__all__ = ["annealed_for"]


def annealed_for(
    energy: Energy,
    params: Sequence[TensorVariable],
    data: NDArray,
    space: Space,
    *,
    at: NDArray | None = None,
    wanted_error: float = 0.05,
    most_points: int = 2**20,
    random_seed=0,
    progressbar: bool = True,
) -> Reference:
    """Anneal to the maximum of the likelihood, with as many particles as the forecast asks.

    Parameters
    ----------
    energy : Energy
    params : sequence of TensorVariable
        One row for all data, of continuous variables of the model on the context stack.
    data : ndarray, shape ``(N, *event)``
    space : Space
        Not one of finite states.
    at : ndarray, optional
        Unconstrained values of the parameters to anneal to, where the data are on another space.
    wanted_error, most_points : float, int
        As of `pymc_ebm.reference.annealed`.
    random_seed : optional
        As for ``numpy.random.default_rng``; fixed, so that fits are reproducible.
    progressbar : bool

    Returns
    -------
    Reference

    Raises
    ------
    Unforeseeable
        Parameters that have rows or are not continuous variables of the model, or a likelihood
        whose maximum is not found.

    Warns
    -----
    UserWarning
        More error than wanted with the most points.
    """
    theta = OfFreeValues(params)
    if any(energy.batch_shapes(theta(theta.start))):
        raise Unforeseeable
    rng = np.random.default_rng(random_seed)
    try:
        best = climb(energy, theta, theta.start, data, space, rng) if at is None else at
    except NotArrived as error:
        raise Unforeseeable from error
    return annealed(
        energy,
        *theta(best),
        data=data,
        support=space,
        wanted_error=wanted_error,
        most_points=most_points,
        random_seed=rng,
        progressbar=progressbar,
    )
