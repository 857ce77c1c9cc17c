"""Markov chains of continuous events by the step methods of PyMC."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import xarray as xr

from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference
from pymc_ebm.sampling.checks import check_sampling
from pymc_ebm.sampling.compiled_energies import (
    cached,
    energy_function,
    spell,
    start_points,
    weights_function,
)
from pymc_ebm.sampling.output import chain_ess, datatree
from pymc_ebm.weights.normalised import normalise

__all__ = ["markov_chain"]


def markov_chain(
    energy: Energy | EnergyFunction,
    *params,
    reference: Reference,
    draws: int = 1000,
    chains: int = 4,
    random_seed=None,
    signature: str | None = None,
    progressbar: bool = True,
    tune: int = 1000,
    step: Callable[[], Any] | None = None,
    initvals=None,
    return_inferencedata: bool = True,
) -> xr.DataTree | np.ndarray:
    r"""Markov chains that target p(x|θ) of a continuous event by a step method of PyMC.

    .. math:: \log p(x \mid θ) = −E(x \mid θ) + \text{const}, \qquad x \text{ in the support}

    Where the support has bounds, the chains run on the transform of x to the whole line. An energy
    and its reference are compiled once for each step method, whatever the parameter values.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)`` in nats, ``(*batch, *event) -> (*batch,)``.
    *params : array_like
        One row of parameter values, each of its core shape.
    reference : Reference
        Says the event shape and the support: state that of a reference whose points fill a part
        of the line, since chains go wherever it allows. Only first states come from its points.
    draws, chains : int
        Chains run one after another, in this process, and each takes some 0.02 to 0.1 s to start.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    signature : str, optional
        Core dimensions of the parameters, as in `log_partition`; scalars by default.
    progressbar : bool
    tune : int
        First steps of each chain, not returned, in which the step method adapts.
    step : callable, optional
        A step method, ``pm.Slice`` for example, or any callable without arguments that makes one
        inside a model, such as ``partial(pm.NUTS, target_accept=0.95)``. By default ``pm.NUTS``,
        which needs the gradient of the energy.
    initvals : array_like, optional
        First states, ``(chains, *event)``, inside the support and not on its bounds; by default
        points of the reference, chosen with their weights.
    return_inferencedata : bool
        False returns the draws alone, ``(chain, draw, *event)``.

    Returns
    -------
    xr.DataTree
        Group ``samples`` with x; ``sample_stats`` with the ``energy`` of each draw and, where the
        step method says so, whether it was ``diverging``. The attribute ``ess`` is the smallest
        over the energy and the coordinates of x.

    Raises
    ------
    TypeError
        No reference, or a discrete one; a step method that is not callable.
    ValueError
        An energy of NaN or ±inf at first states, or of −inf later; no point of the reference with
        weight; first states of another shape or outside the support; several rows of parameters or
        a reference of rows; numbers below the least.

    Warns
    -----
    UserWarning
        Divergent transitions after tuning.

    Examples
    --------
    >>> import pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 4), random_seed=1)
    >>> draws = ebm.sampling.markov_chain(
    ...     lambda x, s: x**2 / (2 * s**2),
    ...     2.0,
    ...     reference=q,
    ...     step=pm.Slice,
    ...     random_seed=2,
    ...     progressbar=False,
    ... )
    >>> draws["samples"]["x"].shape
    (4, 1000)
    """
    check_sampling(reference, draws=draws, chains=chains, tune=tune)
    if reference.discrete:
        raise TypeError(
            f"The reference has points of dtype {reference.points.dtype}, and step methods here "
            "move continuous events. Use gibbs."
        )
    step = pm.NUTS if step is None else step
    if not callable(step):
        raise TypeError(
            f"step is {type(step).__name__}, which cannot be called. Give a step method such as "
            "pm.Slice, or functools.partial(pm.NUTS, target_accept=0.95)."
        )
    rng = np.random.default_rng(random_seed)
    energy = as_energy(energy, signature)
    row = energy.row(params)
    # The draws, and what PyMC records of each step.
    check_memory(chains * draws, 20 + 3 * math.prod(reference.event_shape), "Use fewer draws.")
    energy_of = energy_function(energy, reference, row)
    start = _first_states(initvals, chains, energy, reference, energy_of, row, rng)
    chain = cached(
        energy,
        reference,
        row,
        ("markov_chain", energy.core_types(row)),
        lambda: _Chain(energy, reference, row, start[0]),
    )
    x, diverging = chain(step, row, start, draws, tune, rng, progressbar)
    x = x.astype(reference.points.dtype)
    energies = energy_of(x.reshape(-1, *reference.event_shape)).reshape(chains, draws)
    if not np.isfinite(energies).all():
        raise ValueError(
            f"The energy is not finite at {(~np.isfinite(energies)).sum()} of {energies.size} "
            f"draws, at parameters {spell(row)}. Correct the energy, or state its support."
        )
    if not return_inferencedata:
        return x
    return datatree(
        "markov_chain",
        x,
        sample_stats={
            "energy": energies,
            **({} if diverging is None else {"diverging": diverging}),
        },
        ess=chain_ess(energies, x),
        reference=reference,
        random_seed=random_seed,
    )


class _Chain:
    """A PyMC model of x whose parameters are shared variables, and the steps made for it."""

    def __init__(self, energy, reference, row, start):
        self.params = [
            pytensor.shared(value, name=f"param_{i}", shape=(None,) * value.ndim)
            for i, value in enumerate(row)
        ]
        # No parent, whatever model the caller is in.
        with pm.Model(model=None) as self.model:
            x = pm.Flat(
                "x",
                shape=reference.event_shape,
                default_transform=reference.space.transform,
                initval=start,
            )
            # A graph and not the function itself, which the cache must not keep alive.
            pm.Potential(
                "minus_energy", -energy.of_data(x[None], self.params, reference.event_shape)[0]
            )
        self.steps: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def __call__(self, make_step, row, start, draws, tune, rng, progressbar):
        """Draws ``(chain, draw, *event)`` and which of them diverged, if the step tells."""
        for variable, value in zip(self.params, row, strict=True):
            variable.set_value(value)
        if make_step not in self.steps:
            with self.model:
                step = make_step()
            self.steps[make_step] = step, step.sampling_state
        # What a step has tuned elsewhere must not enter: one seed gives one result.
        step, untuned = self.steps[make_step]
        step.sampling_state = untuned
        with warnings.catch_warnings():
            # Many chains of one draw are what predictive draws are made of.
            warnings.filterwarnings("ignore", message="Found chain dimension to be longer")
            idata = pm.sample(
                draws=draws,
                tune=tune,
                chains=len(start),
                cores=1,
                step=step,
                model=self.model,
                initvals=[{"x": point} for point in start],
                # PyMC copies a generator, so that two calls would share its stream.
                random_seed=int(rng.integers(2**30)),
                progressbar=progressbar,
                quiet=not progressbar,
                compute_convergence_checks=False,
            )
        x = idata["posterior"]["x"].to_numpy()
        if x.shape[:2] != (len(start), draws):
            raise KeyboardInterrupt  # to which pm.sample answers with the draws so far
        diverging = idata["sample_stats"].get("diverging")
        if diverging is None:
            return x, None
        if diverging.any():
            warnings.warn(
                f"{int(diverging.sum())} of {diverging.size} draws at parameters {spell(row)} "
                "diverged, so the chains may miss a part of the model. Raise the target: "
                "step=functools.partial(pm.NUTS, target_accept=0.95).",
                UserWarning,
                stacklevel=3,
            )
        return x, diverging.to_numpy()


def _first_states(initvals, chains, energy, reference, energy_of, row, rng):
    """States ``(chains, *event)`` of finite energy within the bounds."""
    within = reference.space.interior
    if initvals is not None:
        points = start_points(initvals, chains, reference)
        for possible, problem in (
            (within(points), f"not inside the support {reference.support}"),
            (np.isfinite(energy_of(points)), "without a finite energy"),
        ):
            if not possible.all():
                raise ValueError(
                    f"{(~possible).sum()} of {chains} initvals are {problem}, at parameters "
                    f"{spell(row)}. Give states of finite energy between the bounds."
                )
        return points
    log_weights, points = weights_function(energy, reference, row)
    # On a bound, the transformed state is infinite.
    log_weights = np.where(within(points), log_weights, -np.inf)
    log_z, weights = normalise(log_weights)
    if not np.isfinite(log_z):
        raise ValueError(
            f"There are no first states at parameters {spell(row)}: the weights of "
            f"{len(log_weights)} reference points are all zero or not a number. Correct the "
            "energy, or give initvals."
        )
    return points[rng.choice(len(points), size=chains, p=weights)]
