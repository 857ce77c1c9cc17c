"""The energy of a discrete event as a sum over sites and pairs of sites, where it is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.linearity import common_slopes, slopes
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.sampling.compiled_energies import cached
from pymc_ebm.space.pairwise import Pairwise, decompose, random_codes
from pymc_ebm.space.sites import Sites

__all__ = ["agrees", "local_energy"]

_CHECKS = 16


def local_energy(energy, reference, sites: Sites, row, energy_of, key) -> Pairwise | None:
    """E(x | θ) at one row of parameters, up to a constant; None where it has other terms.

    The statistics that the energy hoists are decomposed once for all θ, and where E is linear in
    them, E = Σ_k c_k(θ) T_k(x), the sum of their terms with c_k is the answer. Otherwise E itself
    is decomposed at θ.

    Parameters
    ----------
    energy : Energy
    reference : Reference
    sites : Sites
    row : sequence of ndarray
        Parameter values.
    energy_of : callable
        Energies of points at these values.
    key : tuple
        Tells the sites apart from others of the same reference.

    Returns
    -------
    Pairwise or None
    """
    # The same groups and checks each time: the answer is no matter of chance.
    rng = np.random.default_rng(0)
    statistics = cached(
        energy,
        reference,
        row,
        ("statistics", key, energy.core_types(row)),
        lambda: _statistics(energy, reference, sites, row, rng),
    )
    if statistics is not None:
        coefficients = statistics.coefficients(row)
        if coefficients is not None:
            if statistics.terms is None:
                return None
            found = statistics.terms.combined(coefficients)
            return found if agrees(found, energy_of, sites) else None
    at_theta = lambda codes: energy_of(sites.points(codes))[:, None]
    return decompose(at_theta, sites.n_values, rng, sites.event_shape)


def agrees(local: Pairwise, energy_of, sites: Sites, codes: np.ndarray | None = None) -> bool:
    """Whether differences of the energy between states are those of `local`."""
    if codes is None:
        codes = random_codes(sites.n_values, _CHECKS, np.random.default_rng(1))
    codes = np.concatenate([np.zeros((1, len(sites.n_values)), dtype=np.int64), codes])
    found, truth = local(codes)[:, 0], energy_of(sites.points(codes))
    scale = 1 + np.abs(truth).max()
    error = np.abs((found - found[0]) - (truth - truth[0])).max()
    return bool(error <= 1e-8 * scale)  # NaN does not agree


class _Statistics(NamedTuple):
    """What an energy hoists, decomposed, and how E depends on it."""

    terms: Pairwise | None
    samples: list[np.ndarray]
    slopes: Callable

    def coefficients(self, row) -> np.ndarray | None:
        """∂E/∂T_k ``(S,)``, if it is the same at all sample states."""
        found = self.slopes(*row, *self.samples)
        return common_slopes(np.concatenate([s.reshape(len(s), -1) for s in found], axis=1))


def _statistics(energy, reference, sites, row, rng) -> _Statistics | None:
    split = energy.split(reference.event_shape, reference.points.dtype, row)
    if not split.slots or not all(s.dtype.startswith("float") for s in split.slots):
        return None
    of_statistics = slopes(split)
    if of_statistics is None:
        return None
    function = compiled([split.x], split.statistics, VECTORISED)

    def samples(codes):
        return function(sites.points(codes))

    def evaluate(codes):
        return np.concatenate([s.reshape(len(codes), -1) for s in samples(codes)], axis=1)

    some = samples(random_codes(sites.n_values, _CHECKS, rng))
    # With more statistics than this, the energy at θ is looked at instead.
    if sum(s[0].size for s in some) > 64:
        return None
    return _Statistics(
        decompose(evaluate, sites.n_values, rng, sites.event_shape),
        some,
        compiled([*split.params, *split.slots], of_statistics, VECTORISED),
    )
