"""The posterior that other references of the same kind would have given."""

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.normalisers.posterior import flat_draws
from pymc_ebm.progress import progress
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.groups import group_sums

__all__ = ["other_log_weights"]


def other_log_weights(
    idata: xr.DataTree,
    num_references: int,
    *,
    random_seed=None,
    model: pm.Model | None = None,
    progressbar: bool = True,
) -> NDArray:
    r"""Log weights that turn the posterior draws into those by other references.

    .. math:: δ_b(s) = −\sqrt{\tfrac{G}{G − 1}} \sum_g (z_{bg} − \bar z_b) Φ_g(s),
              \qquad z_{bg} \sim \mathcal N(0, 1)

    with :math:`Φ_g(s) = \sum_{m \in g} \sum_r c_r(s) \bar w_{mr}(s)`. They have the covariance of
    the error of the log-likelihood between posterior draws, of which ``loglik_variance`` is the
    diagonal, and to first order move a posterior mean by its ``reference_mcse``.

    Parameters
    ----------
    idata : xr.DataTree
        With a posterior of the model's free parameters.
    num_references : int
        B.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    model : pm.Model, optional
        The model of the context by default.
    progressbar : bool

    Returns
    -------
    ndarray
        ``(B, S)`` in nats, draws of a chain together; 0 where all references are exact.

    Raises
    ------
    ValueError
        If the model has no estimated normaliser, if the posterior lacks a parameter, or if a
        reference is a single group of points, whose error is unknown.
    """
    normalisers = Normalisers(model).required()
    random = {r.fingerprint: r for r in normalisers.references.values() if r.level != "exact"}
    rng = np.random.default_rng(random_seed)
    z = {key: _deviates(reference, num_references, rng) for key, reference in random.items()}
    posterior = normalisers.posterior(idata)
    draws, n_draws = flat_draws(posterior), posterior.sizes["chain"] * posterior.sizes["draw"]
    log_weights = np.zeros((num_references, n_draws))
    if not random:
        return log_weights
    with progress(progressbar) as bar:
        task = bar.add_task("Weighing the posterior by other references", total=n_draws)
        for s in range(n_draws):
            point = {name: values[s] for name, values in draws.items()}
            for at_point in normalisers.at(point).values():
                reference = at_point.reference
                if reference.level != "exact":
                    sums = group_sums(at_point.influence(), reference.groups)
                    log_weights[:, s] -= z[reference.fingerprint] @ sums
            bar.advance(task)
    return log_weights


def _deviates(reference: Reference, num_references: int, rng: np.random.Generator) -> NDArray:
    """√(G/(G−1)) (z_g − z̄) of each group, ``(B, G)``; unused draws are groups without influence."""
    if reference.n_groups < 2:
        raise ValueError(
            f"The reference ({reference.description or 'given points'}) is a single group of "
            "points, whose error is unknown. Make it of several independent groups."
        )
    n = reference.total_groups
    z = rng.normal(size=(num_references, reference.n_groups))
    unused = np.sqrt(n - reference.n_groups) * rng.normal(size=(num_references, 1))
    return np.sqrt(n / (n - 1)) * (z - (z.sum(axis=1, keepdims=True) + unused) / n)
