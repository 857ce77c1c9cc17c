"""Draws of the states of hidden fields, given what was observed of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from pymc_ebm.distribution.conditional_draws import (
    add_to_predictive,
    function_of_draw,
    posterior_points,
)
from pymc_ebm.distribution.hidden.field import FieldGivenData, HiddenField
from pymc_ebm.distribution.hidden.gibbs_of_field import GibbsOfField
from pymc_ebm.distribution.hidden.hidden_rv import HiddenRV
from pymc_ebm.given import datatree_given, model_given
from pymc_ebm.space.sites import Sites
from pymc_ebm.weights.normalised import normalise

__all__ = ["hidden_states"]


def hidden_states(
    idata: xr.DataTree,
    *,
    model: pm.Model | None = None,
    sweeps: int = 10,
    random_seed=None,
) -> xr.DataTree:
    """Draw the states of hidden fields from their posterior distribution: labels of pixels.

    At each draw of the posterior one field x from p(x | y, θ, φ): exactly where all states are
    enumerated. Else by a chain of Gibbs sampling, which goes on from the field at the draw before.

    Parameters
    ----------
    idata : xr.DataTree
        With a posterior group. One that is thinned, ``idata.isel(draw=slice(None, None, 10))``,
        takes less time and room.
    model : pm.Model, optional
        The model of the context by default.
    sweeps : int
        Of Gibbs sampling at each draw, and twenty times as many at the first of each chain.
    random_seed : optional
        As for ``numpy.random.default_rng``.

    Returns
    -------
    xr.DataTree
        `idata`, whose group ``posterior_predictive`` has ``y_states`` for each `HiddenEBM` ``y``,
        ``(chain, draw, *batch, *event)``.

    Raises
    ------
    ValueError
        No posterior, or one that lacks a parameter; no `HiddenEBM`.

    Examples
    --------
    >>> import arviz as az, pymc_ebm as ebm
    >>> with pm.Model() as model:
    ...     beta = pm.HalfNormal("beta", 1)
    ...     image = ebm.HiddenEBM(
    ...         "y",
    ...         beta,
    ...         energy=ebm.energies.potts,
    ...         states=[0, 1],
    ...         emission=lambda x: pm.Normal.dist(x, 0.5),
    ...         observed=[[0.1, 0.8], [-0.2, 1.3]],
    ...     )
    >>> idata = az.from_dict({"posterior": {"beta": np.full((1, 200), 0.3)}})
    >>> labels = ebm.hidden_states(idata, model=model, random_seed=1)
    >>> drawn = labels["posterior_predictive"]["y_states"]
    >>> drawn.shape, (drawn.mean(("chain", "draw")) > 0.5).to_numpy().tolist()
    ((1, 200, 2, 2), [[False, True], [False, True]])
    """
    model = model_given(model)
    hidden = [rv for rv in model.observed_RVs if isinstance(rv.owner.op, HiddenRV)]
    if not hidden or "posterior" not in datatree_given(idata).children:
        raise ValueError(
            "There are no hidden states to draw, or no posterior. Give a model with a HiddenEBM, "
            "and what pm.sample returned."
        )
    rng = np.random.default_rng(random_seed)
    inputs, shape, points = posterior_points(idata, model)
    found = {}
    for rv in hidden:
        field: HiddenField = rv.owner.op.spec
        layout = field.emission.layout
        params = rv.owner.op.dist_params(rv.owner)
        theta, phi = params[: field.n_params], params[field.n_params :]
        table = field.emission.log_densities(model.rvs_to_values[rv], phi)
        function = function_of_draw(inputs, [*theta, table], model)
        ways = [
            _exactly(given, [*theta, table], rng)
            if given.reference.states is not None
            else _by_gibbs(given, field, sweeps, rng)
            for given in field.given_for(model.rvs_to_values[rv], theta)
        ]
        drawn = []
        for index, values in points:
            *row, of_images = function(*values)
            batch = of_images.shape[:-2]  # of the data that there are now
            of_images = of_images.reshape(-1, *of_images.shape[-2:])
            each = ways if len(ways) > 1 else ways * len(of_images)
            places = zip(each, of_images, strict=True)
            states = [way((*index, n), row, own) for n, (way, own) in enumerate(places)]
            drawn.append(np.asarray(states, dtype=field.emission.small_dtype))
        axes = [*range(len(layout.batch) + len(layout.event))]
        dims = model.named_vars_to_dims.get(rv.name)
        names = [dims[i] if dims else f"{rv.name}_dim_{i}" for i in axes]
        found[f"{rv.name}_states"] = (names, np.reshape(drawn, (*shape, *batch, *layout.event)))
    return add_to_predictive(idata, found, model)


def _exactly(given: FieldGivenData, params: Sequence, rng: np.random.Generator) -> Callable:
    """A function of (chain, draw, image), θ and log densities: one of all states, by its weight."""
    q, (*theta, table) = given.reference, params
    row = [*theta, given.coefficients(table)]
    energies = given.energy.of_points(q.event_shape, q.points.dtype, row, q.n_points)
    at = energies.at(q.points)

    def draw(index, theta: Sequence, log_densities: NDArray) -> NDArray:
        log_weights = q.log_weights - at([*theta, given.coefficients(log_densities)])
        return q.points[rng.choice(len(log_weights), p=normalise(log_weights)[1])]

    return draw


def _by_gibbs(
    given: FieldGivenData, field: HiddenField, sweeps: int, rng: np.random.Generator
) -> Callable:
    """A function of (chain, draw, image), θ and log densities: where the image's chain is then."""
    gibbs = field.gibbs or GibbsOfField(
        field.energy, Sites.of(field.emission.values, field.emission.layout.event)
    )
    start = gibbs.sites.codes(given.reference.points[:1])
    codes: dict[int, NDArray] = {}

    def draw(index, theta: Sequence, log_densities: NDArray) -> NDArray:
        _, number, image = index
        first = 20 if number == 0 else 1
        at = codes.get(image, start)
        codes[image], _ = gibbs(theta, log_densities, at, rng, first * sweeps)
        return gibbs.sites.points(codes[image])[0]

    return draw
