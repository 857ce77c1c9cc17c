"""The posterior of a hidden field's parameters before it is sampled: its mode, and how wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from scipy import linalg, optimize

from pymc_ebm.distribution.hidden.field import EnergyGivenData
from pymc_ebm.distribution.hidden.gibbs_of_field import GibbsOfField
from pymc_ebm.distribution.of_free_values import OfFreeValues
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["Pilot", "Row"]


class Row(NamedTuple):
    """Parameters at one place u.

    Attributes
    ----------
    theta : list of ndarray
    coefficients : list of ndarray
        What the energy of each image takes besides, ``(J, K)``.
    log_prior : float
        Of all that the model has besides the hidden field.
    """

    theta: list[NDArray]
    coefficients: list[NDArray]
    log_prior: float


class Pilot:
    r"""The posterior as a function of the model's unconstrained values u.

    With fields x from p(x | θ) and p(x | y, θ, φ), E_y the energy given the data and means and
    covariances over these fields,

    .. math:: ∇\log p(y) = \langle ∇E \rangle − \langle ∇E_y \rangle_y, \qquad
        −∇^2 \log p(y) = \langle ∇^2 E_y \rangle_y − \langle ∇^2 E \rangle + \operatorname{Cov} ∇E
                − \operatorname{Cov}_y ∇E_y

    Parameters
    ----------
    images : sequence of EnergyGivenData
    theta : sequence of TensorVariable
    coefficients : sequence of TensorVariable
        What the energy of each image takes besides θ.
    gibbs : GibbsOfField
    rng : numpy.random.Generator

    Raises
    ------
    Unforeseeable
        Parameters other than continuous variables of the model on the context stack.

    References
    ----------
    T. A. Louis (1982), J. R. Statist. Soc. B 44, 226–233; K. Lange (1995), J. R. Statist. Soc. B
    57, 425–437.
    """

    def __init__(
        self,
        images: Sequence[EnergyGivenData],
        theta: Sequence,
        coefficients: Sequence,
        gibbs: GibbsOfField,
        rng: np.random.Generator,
    ):
        self._images, self._gibbs, self._rng = images, gibbs, rng
        model = pm.modelcontext(None)
        graphs = [*theta, *coefficients, pt.as_tensor(model.logp())]
        self._values = OfFreeValues(graphs, VECTORISED)
        self.start = self._values.start
        self._n_params = len(theta)
        event, dtype = gibbs.sites.event_shape, gibbs.sites.values.dtype
        self._of_field = gibbs.energy.of_points(event, dtype, theta, 2)
        self._given = [
            image.energy.of_points(event, dtype, [*theta, c], 2)
            for image, c in zip(images, coefficients, strict=True)
        ]
        size = len(gibbs.sites.values)
        # Numbers of all fields that move together.
        self.n_fields = int(np.clip(2**16 // size, 16, 128))
        shape = (self.n_fields, size)
        self._codes = [
            rng.integers(gibbs.sites.n_values, size=shape) for _ in range(1 + len(images))
        ]

    def at(self, u: NDArray) -> Row:
        """The parameters at u."""
        found = self._values(u)
        return Row(found[: self._n_params], found[self._n_params : -1], float(found[-1]))

    def draw(self, row: Row, sweeps: int, draws: int, thin: int) -> list[NDArray]:
        """States of the field and of that given each image, ``(C, draws, *event)``."""
        pairs = zip(self._images, row.coefficients, strict=True)
        tables = [None, *(image.table_of(c) for image, c in pairs)]
        points = []
        for k, table in enumerate(tables):
            self._codes[k], x = self._gibbs(
                row.theta, table, self._codes[k], self._rng, sweeps, draws, thin
            )
            points.append(x)
        return points

    def mode(self, steps: int = 15, most_steps: int = 8) -> tuple[NDArray, NDArray]:
        """The mode, ``(K,)``, and the covariance of the posterior around it, ``(K, K)``."""
        u = self.start.copy()
        if self._alike(self.at(u)):
            # Where all states emit alike nothing tells them apart.
            u = u + self._rng.normal(0, 0.5, size=u.size)
        self.draw(self.at(u), 20, 0, 1)
        for _ in range(steps):
            u = self._expectation_maximisation(u)
        covariance = np.eye(u.size)
        for _ in range(most_steps):
            gradient, information = self._louis(u)
            covariance = linalg.inv(information)
            step = covariance @ gradient
            size = np.sqrt(step @ information @ step)
            u = u + step * min(1.0, 2.0 / size)
            if size < 0.3:
                break
        return u, covariance

    def _alike(self, row: Row) -> bool:
        return all(
            (np.ptp(c, axis=-1) < 1e-9 * (1 + np.abs(c).max())).all() for c in row.coefficients
        )

    def _expectation_maximisation(self, u: NDArray) -> NDArray:
        """A step of Monte Carlo expectation maximisation, no longer than the fields can tell."""
        row = self.at(u)
        of_states = self._of_states(self.draw(row, 4, 2, 2))
        before = of_states(row)[0]

        def log_weights(trial: Row) -> NDArray:
            return before - of_states(trial)[0]

        def objective(v: NDArray) -> float:
            trial = self.at(v)
            log_z = normalise(log_weights(trial))[0] - np.log(len(before))
            _, *given = of_states(trial)
            value = sum(e.mean() for e in given) + len(given) * log_z - trial.log_prior
            return value if np.isfinite(value) else 1e300

        with np.errstate(all="ignore"):
            step = optimize.minimize(objective, u, method="L-BFGS-B", options={"maxiter": 10}).x - u
            for _ in range(20):
                if ess(normalise(log_weights(self.at(u + step)))[1]) > 0.3 * len(before):
                    break
                step = step / 2
        return u + step

    def _louis(self, u: NDArray) -> tuple[NDArray, NDArray]:
        """Gradient of the log posterior and minus its Hessian, kept positive definite."""
        # Steps of central differences.
        steps, n_images = 1e-3 * np.eye(u.size), len(self._images)
        of_states = self._of_states(self.draw(self.at(u), 4, 16, 2))
        low, high = ([of_states(self.at(u + s * step)) for step in steps] for s in (-1, 1))
        slopes = [
            np.stack([(b[k] - a[k]) / 2e-3 for a, b in zip(low, high, strict=True)], axis=1)
            for k in range(1 + n_images)
        ]

        def expected(v: NDArray) -> float:
            row = self.at(v)
            field, *given = of_states(row)
            return float(sum(e.mean() for e in given) - n_images * field.mean() - row.log_prior)

        curvature, here = np.empty((u.size, u.size)), expected(u)
        gradient = np.empty(u.size)
        for i, a in enumerate(steps):
            gradient[i] = -(expected(u + a) - expected(u - a)) / 2e-3
            for j, b in enumerate(steps[: i + 1]):
                ends = expected(u + a + b) + expected(u - a - b)
                if i == j:
                    value = (expected(u + a) + expected(u - a) - 2 * here) / 1e-6
                else:
                    value = (ends - expected(u + a - b) - expected(u - a + b)) / 4e-6
                curvature[i, j] = curvature[j, i] = value
        of_field, *of_given = (np.atleast_2d(np.cov(s.T)) for s in slopes)
        complete = curvature + n_images * of_field
        # What is missing is no more than nearly all, whatever the noise of covariances.
        size, axes = linalg.eigh(complete)
        root = axes / np.sqrt(np.maximum(size, 1e-4 * size.max()))
        missing, turned = linalg.eigh(root.T @ sum(of_given) @ root)
        inverse = linalg.inv(root)
        left = (turned * np.clip(1 - missing, 0.05, None)) @ turned.T
        return gradient, inverse.T @ left @ inverse

    def _of_states(self, points: list[NDArray]):
        """Energies of the states at any row: of the field, and given each image."""
        event = self._gibbs.sites.event_shape
        field, *given = (x.reshape(-1, *event) for x in points)
        functions = [self._of_field.at(field)]
        functions += [f.at(x) for f, x in zip(self._given, given, strict=True)]

        def energies(row: Row) -> list[NDArray]:
            of_field, *of_given = functions
            found = [of_field(row.theta)]
            for f, c in zip(of_given, row.coefficients, strict=True):
                found.append(f([*row.theta, c]))
            return found

        return energies
