r"""A hidden field and what is observed of it: the likelihood is a difference of two normalisers.

.. math:: \log p(y \mid θ, φ) = \log Z(θ, φ; y) − \log Z(θ), \qquad
          Z(θ, φ; y) = \sum_x \exp(−E(x \mid θ)) \prod_i p(y_i \mid x_i, φ)

The field given y is a field of its own, whose parameters are θ and the log densities of y.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.distribution.hidden.basis import Basis, coefficients_at
from pymc_ebm.distribution.hidden.emission import IMPOSSIBLE, Emission
from pymc_ebm.distribution.hidden.gibbs_of_field import GibbsOfField
from pymc_ebm.distribution.missing import is_constant
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import signature_of
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.partition.op import LogPartition
from pymc_ebm.reference.base import Reference

__all__ = ["EnergyGivenData", "FieldGivenData", "HiddenField", "energy_given_data"]


@dataclass(frozen=True, eq=False)
class EnergyGivenData:
    """E(x | θ) − Σ_i log p(y_i | x_i, φ), of one image or of any.

    Attributes
    ----------
    energy : Energy
        Its parameters are θ and the coefficients of the log densities.
    basis : Basis or None
        Of the log densities of one image; the energy is for no other then.
    """

    energy: Energy
    basis: Basis | None

    def coefficients(self, log_densities):
        """What the energy takes of log p(y_i | x_i = v), ``(*batch, D, K)``."""
        return log_densities if self.basis is None else log_densities[..., self.basis.pivots, :]

    def table_of(self, coefficients: NDArray) -> NDArray:
        """Log densities ``(D, K)`` of which these are the coefficients."""
        return coefficients if self.basis is None else self.basis.weights @ coefficients


@dataclass(frozen=True, eq=False)
class FieldGivenData(EnergyGivenData):
    """p(x | y, θ, φ) ∝ exp(−E(x | θ)) Π p(y_i | x_i, φ), with the reference of its normaliser."""

    reference: Reference

    def log_mass(self, theta: Sequence, coefficients: TensorVariable) -> TensorVariable:
        """Graph of log Z(θ, φ; y), ``(*batch,)``."""
        log_z = log_partition(self.energy, *theta, coefficients, reference=self.reference)
        if self.basis is None:
            return log_z
        # What is impossible has a finite log density, of which no other's is a sum.
        return pt.switch(pt.gt(coefficients, IMPOSSIBLE).all(), log_z, -np.inf)


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
    given : tuple of FieldGivenData
        One for all images, or one for each.
    data : ndarray or None
        ``(*batch, *event, *channels)``, where `given` is for these data only.
    sampler : callable
        As of an `EBM`.
    gibbs : GibbsOfField or None
        Where states are too many to be listed.
    """

    energy: Energy
    n_params: int
    emission: Emission
    reference: Reference
    given: tuple[FieldGivenData, ...]
    data: NDArray | None
    sampler: Callable
    gibbs: GibbsOfField | None = None

    def logp(self, y, params: Sequence) -> TensorVariable:
        """Log-likelihood of data ``(*batch, *event, *channels)``, ``(*batch,)``."""
        theta, phi = params[: self.n_params], params[self.n_params :]
        log_z = log_partition(self.energy, *theta, reference=self.reference)
        log_mass = self._log_mass(y, theta, phi)
        impossible = pt.eq(log_z, -np.inf) | pt.lt(log_mass, IMPOSSIBLE / 2)
        return pt.switch(impossible, -np.inf, log_mass - log_z)

    def _log_mass(self, y, theta: Sequence, phi: Sequence) -> TensorVariable:
        given, layout = self.given_for(y, theta), self.emission.layout
        if len(given) == 1 and given[0].basis is None:
            return given[0].log_mass(theta, self.emission.log_densities(y, phi))
        each = [
            image.log_mass(theta, coefficients_at(image.basis, self.emission, y, phi, n))
            for n, image in enumerate(given)
        ]
        return pt.stack(each) if layout.batch else each[0]

    def given_for(self, y, theta: Sequence) -> tuple[FieldGivenData, ...]:
        """`given`, or what serves other data."""
        if self.data is None or is_constant(y, self.data):
            return self.given
        if self.reference.states is None:
            raise NotImplementedError(
                "the chains are those of the observed data, and the log-likelihood of others is "
                "not known. Make a HiddenEBM of them."
            )
        energy = energy_given_data(self.energy, theta, self.emission.values)
        return (FieldGivenData(energy, None, self.reference),)

    def part_of(self, op: LogPartition) -> str:
        """What one of the normalisers sums over."""
        if len(op.split.params) == self.n_params:
            return "field"
        same = [
            n
            for n, g in enumerate(self.given)
            if g.reference.fingerprint == op.reference.fingerprint
        ]
        return "field given data" if len(self.given) == 1 else f"field given image {same[0]}"

    def with_references(self, new: Mapping[str, Reference]) -> HiddenField:
        """The same with other references, by the fingerprints of those that they replace."""
        changed = lambda q: new.get(q.fingerprint, q)
        parts = (self.reference, *(g.reference for g in self.given))
        if not any(q.fingerprint in new for q in parts):
            return self
        given = tuple(replace(g, reference=changed(g.reference)) for g in self.given)
        return replace(self, reference=changed(self.reference), given=given)


def energy_given_data(
    energy: Energy, params: Sequence, values: NDArray, basis: Basis | None = None
) -> Energy:
    """E(x | θ) − Σ_i log p(y_i | x_i, φ), whose last parameter has the log densities.

    Parameters
    ----------
    energy : Energy
    params : sequence of TensorVariable
        θ.
    values : ndarray
        States of a site, ``(K,)``.
    basis : Basis, optional
        Of the log densities; the parameter then has those of its sites, ``(J, K)`` in place of
        ``(D, K)``.
    """
    n_values = len(values)

    def given_data(x, *params):
        *theta, log_densities = params
        n_sites = math.prod(x.type.shape[1:])
        # A number for each site and state, or each of the basis: E is linear in them.
        is_state = pt.eq(x[..., None], values).reshape((-1, n_sites, n_values)).astype("float64")
        if basis is not None:
            is_state = (is_state.transpose(0, 2, 1) @ basis.weights).transpose(0, 2, 1)
            n_sites = len(basis.pivots)
        statistics = is_state.reshape((-1, n_sites * n_values))
        return energy(x, *theta) - (statistics * log_densities.ravel()).sum(axis=1)

    return Energy(given_data, signature_of([*energy.cores(len(params)), 2]))
