"""A Markov chain at one parameter value: Geyer's own setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymc_ebm.energy.energy import Energy, EnergyFunction
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.chains._pooled import pooled


def chain(
    energy: Energy | EnergyFunction,
    *theta0,
    sampler: Callable[..., Any] | None = None,
    draws=None,
    log_partition: float | tuple[float, float] | None = None,
    signature: str | None = None,
    support=None,
    random_seed=None,
    progressbar: bool = True,
) -> Reference:
    r"""Draws of p(x | θ0): a_m = E(y_m | θ0) + log Z(θ0) − log M.

    log Ẑ(θ) is then relative to log Z(θ0) unless that is known. A posterior does not need more.
    It is good for θ near θ0; `pooled` covers more.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)``.
    *theta0 : array_like
        The parameter values of the chain.
    sampler : callable, optional
        A function of `pymc_ebm.sampling` with its options set, as for `pooled`.
    draws : array_like or DataTree, optional
        Instead of `sampler`: draws by chain and draw, ``(chain, draw, *event)``, from any sampler.
    log_partition : float or pair, optional
        log Z(θ0) in nats, where it is known, or ``(value, standard error)`` where it is estimated.
    signature, support, random_seed, progressbar : optional
        As for `pooled`.

    Returns
    -------
    Reference
        Groups are batches that are long against the autocorrelation time.

    Raises
    ------
    ValueError
        Neither or both of `sampler` and `draws`.

    References
    ----------
    C. J. Geyer (1994), "On the convergence of Monte Carlo maximum likelihood calculations",
    J. R. Stat. Soc. B 56, 261–274.

    Examples
    --------
    >>> import numpy as np, pymc_ebm as ebm
    >>> y = np.random.default_rng(1).normal(0, 2, size=(4, 1000))
    >>> q = ebm.reference.chain(lambda x, s: x**2 / (2 * s**2), 2.0, draws=y)
    >>> q.absolute, q.n_points
    (False, 4000)
    """
    return pooled(
        energy,
        [theta0],
        sampler=sampler,
        draws=None if draws is None else [draws],
        log_partitions=[log_partition],
        signature=signature,
        support=support,
        random_seed=random_seed,
        progressbar=progressbar,
    )
