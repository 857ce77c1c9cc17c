r"""A hidden field and what is observed of it: the likelihood is a difference of two normalisers.

.. math:: \log p(y \mid θ, φ) = \log Z(θ, φ; y) − \log Z(θ), \qquad
          Z(θ, φ; y) = \sum_x \exp(−E(x \mid θ)) \prod_i p(y_i \mid x_i, φ)

The field given y is a field of its own, whose parameters are θ and the log densities of y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.distribution.hidden.emission import IMPOSSIBLE, Emission
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import signature_of
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.partition.op import LogPartition
from pymc_ebm.reference.base import Reference

__all__ = ["FieldGivenData", "HiddenField", "energy_given_data"]


@dataclass(frozen=True, eq=False)
class FieldGivenData:
    """p(x | y, θ, φ) ∝ exp(−E(x | θ)) Π p(y_i | x_i, φ).

    Attributes
    ----------
    energy : Energy
        Its parameters are θ and log p(y_i | x_i = v, φ), ``(D, K)``.
    reference : Reference
    """

    energy: Energy
    reference: Reference

    def log_mass(self, theta: Sequence, log_densities: TensorVariable) -> TensorVariable:
        """Graph of log Z(θ, φ; y), ``(*batch,)``, for log densities ``(*batch, D, K)``."""
        return log_partition(self.energy, *theta, log_densities, reference=self.reference)


@dataclass(frozen=True, eq=False)
class HiddenField:
    """What identifies a hidden field besides its parameters.

    Attributes
    ----------
    energy : Energy
        E(x | θ).
    n_params : int
        How many of the parameters are θ; the others are φ.
    emission : Emission
    reference : Reference
        Of p(x | θ).
    given : FieldGivenData
    sampler : callable
        As of an `EBM`.
    """

    energy: Energy
    n_params: int
    emission: Emission
    reference: Reference
    given: FieldGivenData
    sampler: Callable

    def logp(self, y, params: Sequence) -> TensorVariable:
        """Log-likelihood of data ``(*batch, *event, *channels)``, ``(*batch,)``."""
        theta, phi = params[: self.n_params], params[self.n_params :]
        log_z = log_partition(self.energy, *theta, reference=self.reference)
        log_mass = self.given.log_mass(theta, self.emission.log_densities(y, phi))
        impossible = pt.eq(log_z, -np.inf) | pt.lt(log_mass, IMPOSSIBLE / 2)
        return pt.switch(impossible, -np.inf, log_mass - log_z)

    def part_of(self, op: LogPartition) -> str:
        """What one of the normalisers sums over."""
        return "field" if len(op.split.params) == self.n_params else "field given data"


def energy_given_data(energy: Energy, params: Sequence, values: NDArray) -> Energy:
    """E(x | θ) − Σ_i log p(y_i | x_i, φ), whose last parameter has the log densities ``(D, K)``.

    Parameters
    ----------
    energy : Energy
    params : sequence of TensorVariable
        θ.
    values : ndarray
        States of a site, ``(K,)``.
    """

    def given_data(x, *params):
        *theta, log_densities = params
        # A column for each site and state: the statistics in which the energy is linear.
        size = int(np.prod(x.type.shape[1:])) * len(values)
        is_state = pt.eq(x[..., None], values).reshape((-1, size)).astype("float64")
        return energy(x, *theta) - (is_state * log_densities.ravel()).sum(axis=1)

    return Energy(given_data, signature_of([*energy.cores(len(params)), 2]))
