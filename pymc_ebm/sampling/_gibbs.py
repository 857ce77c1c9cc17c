"""Gibbs sampling of discrete events, one site at a time."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.memory import check_memory
from pymc_ebm.progress import progress
from pymc_ebm.reference.base import Reference
from pymc_ebm.sampling.checks import check_sampling
from pymc_ebm.sampling.compiled_energies import (
    BLOCK,
    cached,
    energy_function,
    spell,
    start_points,
)
from pymc_ebm.sampling.local_change import LocalChange, local_change_of
from pymc_ebm.sampling.local_energy import agrees, local_energy
from pymc_ebm.sampling.output import chain_ess, datatree
from pymc_ebm.sampling.sites import sites_of
from pymc_ebm.sampling.sweeps import candidate_sweeps, change_sweeps
from pymc_ebm.space.clusters import clusters_of
from pymc_ebm.space.pairwise import random_codes
from pymc_ebm.space.pairwise_sweeps import pairwise_sweeps
from pymc_ebm.space.sites import Sites

__all__ = ["gibbs"]

# States at which energies of another form are compared with E.
_CHECKED_DRAWS = 32


def gibbs(
    energy: Energy | EnergyFunction,
    *params,
    reference: Reference,
    draws: int = 1000,
    chains: int = 4,
    random_seed=None,
    signature: str | None = None,
    progressbar: bool = True,
    tune: int = 1000,
    thin: int = 1,
    values=None,
    initvals=None,
    clusters: bool = False,
    return_inferencedata: bool = True,
) -> xr.DataTree | np.ndarray:
    r"""Markov chains that target p(x|θ) of a discrete event by Gibbs sampling.

    A sweep draws every site i in turn from its distribution given all others,

    .. math:: P(x_i = v \mid x_{-i}) \propto \exp(−E(x_i = v, x_{-i} \mid θ))

    An energy may say itself what a new value of a site changes, in an attribute
    ``energy.local_change(x, site, value, *params)``: E(x with x[site] = value) − E(x) in nats,
    compiled by ``numba.njit``, with x the event as a vector ``(D,)``, which it leaves as it is, and
    the parameters as numbers and arrays. `pymc_ebm.energies.ergm` has it. It is compared with the
    energy at some states before the first chains, and at some of the draws of all.

    Otherwise differences of the energy are found once, numerically: where its statistics are sums
    over sites and pairs of sites (Ising, Potts, Boltzmann machines, counts), an update costs as
    much as the site has neighbours. Where they are not, or where the energy is not finite
    everywhere, it is evaluated at every value of the site.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)`` in nats, ``(*batch, *event) -> (*batch,)``.
    *params : array_like
        One row of parameter values, each of its core shape.
    reference : Reference
        Says the space. Only first states and site values are taken from its points.
    draws, chains : int
    random_seed : optional
        As for ``numpy.random.default_rng``.
    signature : str, optional
        Core dimensions of the parameters, as in `log_partition`; scalars by default.
    progressbar : bool
    tune : int
        First sweeps of each chain, not returned.
    thin : int
        Sweeps per draw.
    values : array_like or sequence of array_like, optional
        Values of all sites ``(K,)``, or one sequence for each site. By default those that occur
        among the reference's points, to which the draws are then restricted.
    initvals : array_like, optional
        First states, ``(chains, *event)``; by default points of the reference.
    clusters : bool
        End each sweep with a Swendsen–Wang move, where the energy is made of site terms and of
        couplings that favour equal values, or of two values, any; where it is not, there is none.
        Near a critical point, where single sites hardly change, it mixes far better.
    return_inferencedata : bool
        False returns the draws alone, ``(chain, draw, *event)``.

    Returns
    -------
    xr.DataTree
        Group ``samples`` with x; ``sample_stats`` with the ``energy`` of each draw and, for each
        chain, the ``acceptance_rate``, the share of updates that changed their site. The
        attribute ``ess`` is the smallest over the energy and the sites.

    Raises
    ------
    TypeError
        No reference, or a continuous one; a `local_change` that numba has not compiled.
    ValueError
        An energy of NaN or −inf; a `local_change` that the energy does not confirm; no state of
        finite energy found; values that do not fit; states that are not all combinations of site
        values; several rows of parameters or a reference of rows; numbers below the least.

    References
    ----------
    R. H. Swendsen, J.-S. Wang (1987), Phys. Rev. Lett. 58, 86–88; R. G. Edwards, A. D. Sokal
    (1988), Phys. Rev. D 38, 2009–2012.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> ising = lambda s, b: -b * (s[..., 1:] * s[..., :-1]).sum(-1)
    >>> spins = ebm.reference.enumeration([-1, 1], shape=5, complete=True)
    >>> draws = ebm.sampling.gibbs(ising, 0.4, reference=spins, random_seed=1, progressbar=False)
    >>> draws["samples"]["x"].shape
    (4, 1000, 5)

    A sum of pairs squared, with its change:

    >>> import numba
    >>> squared = lambda s, b: -b * (s[..., 1:] * s[..., :-1]).sum(-1) ** 2
    >>> @numba.njit
    ... def change(s, site, value, b):
    ...     before = (s[1:] * s[:-1]).sum()
    ...     around = s[max(site - 1, 0) : site].sum() + s[site + 1 : site + 2].sum()
    ...     return -b * ((before + around * (value - s[site])) ** 2 - before**2)
    >>> squared.local_change = change
    >>> draws = ebm.sampling.gibbs(squared, 0.2, reference=spins, random_seed=1, progressbar=False)
    """
    check_sampling(reference, draws=draws, chains=chains, tune=tune, thin=thin)
    rng = np.random.default_rng(random_seed)
    energy = as_energy(energy, signature)
    row = energy.row(params)
    # Values of all sites and a value of each may have equal bytes.
    key = (
        ()
        if values is None
        else tuple((a.shape, a.dtype.str, a.tobytes()) for a in map(np.asarray, values))
    )
    sites = cached(energy, reference, row, ("sites", key), lambda: sites_of(reference, values))
    energy_of = energy_function(energy, reference, row)
    start = _first_states(initvals, chains, sites, reference, energy_of, row, rng)
    run = _Run(sites, rng, tune, draws, thin, progressbar)
    given = local_change_of(energy, sites, row)
    x = local = None
    if given is not None:
        # Draws do not depend on whether it was checked before: a generator of its own.
        cached(
            energy,
            reference,
            row,
            ("local_change", key, given.function),
            partial(_check_before, given, start, sites, energy_of, np.random.default_rng(0)),
        )
        x, rate = run(change_sweeps(given), start)
        given.check(_some(x, sites, rng), energy_of, rng)
    else:
        local = local_energy(energy, reference, sites, row, energy_of, ("sites", key))
    if local is not None:
        moves = clusters_of(local, sites) if clusters else None
        x, rate = run(pairwise_sweeps(local, sites, moves), start, moves.n_uniforms if moves else 0)
        if not agrees(local, energy_of, sites, _some(x, sites, rng)):
            x = None  # the energy bends where only the chains went
    if x is None:
        x, rate = run(candidate_sweeps(energy, reference, sites, row), start, at_once=1)
    if not return_inferencedata:
        return x
    energies = energy_of(x.reshape(-1, *reference.event_shape)).reshape(chains, draws)
    return datatree(
        "gibbs",
        x,
        sample_stats={"energy": energies, "acceptance_rate": rate},
        ess=chain_ess(energies, x),
        reference=reference,
        random_seed=random_seed,
    )


class _Run:
    """Sweeps from first states to recorded codes, in blocks of bounded memory."""

    def __init__(self, sites: Sites, rng, tune, draws, thin, progressbar):
        self.sites, self.rng, self.progressbar = sites, rng, progressbar
        self.tune, self.draws, self.thin = tune, draws, thin

    def __call__(self, sweeps, start, more=0, at_once=None):
        """Draws ``(chain, draw, *event)`` and each chain's share of updates that changed a site."""
        chains, n_sites = start.shape
        width = n_sites + more  # uniforms of one sweep
        total = self.tune + self.draws * self.thin
        at_once = min(at_once or max(BLOCK // (chains * width), 1), max(total, 1))
        check_memory(chains * self.draws, 2 * n_sites, "Use fewer draws.")
        x = np.empty((chains, self.draws, n_sites), dtype=self.sites.values.dtype)
        changes = np.zeros(chains, dtype=np.int64)
        state, u = start.copy(), np.empty((at_once, chains, width))
        with progress(self.progressbar) as bar:
            task = bar.add_task("Gibbs", total=total)
            for first in range(0, total, at_once):
                n = min(at_once, total - first)
                self.rng.random(out=u[:n])
                sweeps(state, u[:n], first - self.tune, self.thin, x, changes)
                bar.advance(task, n)
        rate = changes / max(self.draws * self.thin * n_sites, 1)
        return x.reshape(chains, self.draws, *self.sites.event_shape), rate


def _check_before(given: LocalChange, start, sites, energy_of, rng) -> None:
    """Compare with the energy at first states and at random ones: once, the draws say the rest."""
    some = random_codes(sites.n_values, _CHECKED_DRAWS, rng)
    given.check(np.concatenate([start[:_CHECKED_DRAWS], some]), energy_of, rng)


def _some(x, sites, rng) -> np.ndarray:
    """Codes ``(B, D)`` of draws chosen at random, to check differences of the energy at."""
    draws = x.reshape(-1, *sites.event_shape)
    return sites.codes(draws[rng.integers(len(draws), size=min(len(draws), _CHECKED_DRAWS))])


def _first_states(initvals, chains, sites, reference, energy_of, row, rng) -> np.ndarray:
    """Codes ``(chains, D)`` of states with finite energy."""
    if initvals is not None:
        codes = sites.codes(start_points(initvals, chains, reference))
        if (codes < 0).any():
            raise ValueError(
                f"{(codes < 0).any(axis=1).sum()} of {chains} initvals have a value that its site "
                "does not take. Give states within values=."
            )
        possible = _possible(codes, sites, energy_of, row)
        if not possible.all():
            raise ValueError(
                f"The energy is +inf at {(~possible).sum()} of {chains} initvals, at parameters "
                f"{spell(row)}. Give states of finite energy."
            )
        return codes
    for count in (chains, max(chains, 1000)):  # many may be impossible
        codes = sites.codes(reference.points[rng.integers(reference.n_points, size=count)])
        unknown = codes < 0  # the caller's values are others than the reference's
        codes = np.where(unknown, rng.integers(sites.n_values, size=codes.shape), codes)
        possible = np.flatnonzero(_possible(codes, sites, energy_of, row))
        if len(possible) >= chains:
            return codes[possible[:chains]]
    if len(possible) == 0:
        raise ValueError(
            f"The energy is +inf at {count} points of the reference, at parameters {spell(row)}. "
            "Give initvals where it is finite."
        )
    return codes[rng.choice(possible, size=chains)]


def _possible(codes, sites, energy_of, row) -> np.ndarray:
    """Whether the energy of each state is finite; it must not be NaN or −inf."""
    energies = energy_of(sites.points(codes))
    bad = np.isnan(energies) | np.isneginf(energies)
    if bad.any():
        raise ValueError(
            f"The energy is {energies[bad][0]} at {bad.sum()} of {len(bad)} states, such as "
            f"{sites.points(codes[bad][:1])[0].tolist()}, at parameters {spell(row)}. Correct the "
            "energy."
        )
    return np.isfinite(energies)
