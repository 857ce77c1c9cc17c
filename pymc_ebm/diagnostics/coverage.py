"""Whether a reference has points wherever the model has mass, as far as a search can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import NDArray
from pytensor.gradient import NullTypeGradError
from pytensor.graph.basic import Variable
from scipy import stats

from pymc_ebm.diagnostics.log_base_weights import log_base_weights
from pymc_ebm.diagnostics.modes import Mode, find_modes, missed_mass
from pymc_ebm.diagnostics.normalisers import (
    Normaliser,
    find_log_partitions,
)
from pymc_ebm.diagnostics.weights import ess, normalise
from pymc_ebm.distribution import EnergyRV
from pymc_ebm.energy import evaluate
from pymc_ebm.kernels.routes import choose
from pymc_ebm.reference.base import Reference

__all__ = ["CoverageVerdict", "check_coverage"]

# Nats by which a weight must exceed all of the points' to count as out of their reach.
_MARGIN = 0.05
# A single datum this far above them would carry most of the weight if it were a point.
_FAR_ABOVE = 3.0
# Chance of an alarm by a sound reference at one parameter value.
_CHANCE = 1e-4
_STARTS = 12
_MOST_POINTS = 2**18
_MOST_DIMENSIONS = 20


@dataclass(frozen=True)
class CoverageVerdict:
    """Whether the points of a reference reach all of the model that a search found.

    Attributes
    ----------
    verdict : str
        "covered", "missed" or "not checked".
    reason : str
        One sentence.
    data_excess : float
        Largest log weight of a datum above that of the points, in nats, at the draw where it is
        largest; NaN where the density of the reference at the data is not known.
    missed_mass : float
        Share of the model's mass in modes that the points miss, by Laplace's method; 0 if none.
    """

    verdict: Literal["covered", "missed", "not checked"]
    reason: str
    data_excess: float
    missed_mass: float


def check_coverage(
    posterior: xr.Dataset,
    model: pm.Model,
    normalisers: Sequence[Normaliser],
    *,
    draws: int = 3,
    random_seed=0,
) -> dict[str, CoverageVerdict]:
    r"""Look for mass of the model where the reference has no points.

    At a few posterior draws of each normaliser:

    - the data, whose log weight :math:`a(x_n) − E(x_n \mid θ)` with a(x) = −log q(x) − log M is
      compared with the largest of the points. Points that follow the model exceed it with
      probability about w̄ of the largest point, so many data far above it are a part of the model
      that the points miss. One-sided: data below all points mean a misspecified model, which is
      no fault of the reference.
    - the modes of a continuous energy, by descent from data, from points and from places outside.
      The mass of a mode is that of the Gaussian of its curvature; the points should carry half of
      it within the ellipsoid that holds half.

    Parameters
    ----------
    posterior : xr.Dataset
        Draws of the free parameters on their own scale, by chain and draw.
    model : pm.Model
        With values on that scale, as `on_own_scale` makes it.
    normalisers : sequence of Normaliser
        Of that model.
    draws : int
        Posterior draws at which to look, evenly spaced.
    random_seed : optional
        Of the starts.

    Returns
    -------
    dict of CoverageVerdict
        By the name of the normaliser. Exact references are covered.

    Notes
    -----
    What no search of this kind detects: a mode that neither the descents nor the data reach, modes
    of which the curvature says nothing (flat tops, edges of the support) where the density of the
    reference is not known, and missed parts of a discrete space that no datum visits.

    References
    ----------
    I. J. Good (1953), "The population frequencies of species", Biometrika 40, 237–264, for the
    share of draws that are beyond all seen before.
    """
    data = _data_by_name(model)
    rng = np.random.default_rng(random_seed)
    stacked = posterior.stack(__draw__=("chain", "draw"))
    picked = np.linspace(0, stacked.sizes["__draw__"] - 1, draws).astype(int)
    rows = [
        {str(n): stacked[n].transpose("__draw__", ...).to_numpy()[s] for n in posterior}
        for s in dict.fromkeys(picked.tolist())
    ]
    verdicts = {}
    for normaliser in normalisers:
        reference = normaliser.nodes[0].op.reference
        if reference.exact:
            verdicts[normaliser.name] = CoverageVerdict(
                "covered", "The reference is exact.", np.nan, 0.0
            )
            continue
        probe = _Probe(model, normaliser, data.get(normaliser.name))
        verdicts[normaliser.name] = _judge([probe.at(row, rng) for row in rows], reference)
    return verdicts


@dataclass(frozen=True)
class _Finding:
    """What one posterior draw says."""

    excess: float
    unreached: float
    expected: float
    n_data: int
    missed: float
    place: NDArray | None
    n_modes: int
    undecided: bool


def _judge(findings: Sequence[_Finding], reference: Reference) -> CoverageVerdict:
    excesses = [f.excess for f in findings if not np.isnan(f.excess)]
    excess = max(excesses, default=np.nan)
    missed = max(f.missed for f in findings)
    alarms = [f for f in findings if _data_alarm(f)]
    if 2 * len(alarms) > len(findings):
        worst = max(alarms, key=lambda f: f.excess)
        return CoverageVerdict(
            "missed",
            f"{worst.unreached:.0f} of {worst.n_data} data have larger weights than all of "
            f"{reference.n_points} points, up to {worst.excess:.3g} nats: the points do not reach "
            "where these data are.",
            excess,
            missed,
        )
    place = max(findings, key=lambda f: f.missed).place
    if missed > 0 and place is not None:
        where = np.array2string(np.round(place, 3), threshold=6, separator=", ")
        return CoverageVerdict(
            "missed",
            f"The energy has a mode at {where} that no points represent, with {100 * missed:.3g}% "
            "of the mass.",
            excess,
            missed,
        )
    known = not np.isnan(excess)
    modes = max(f.n_modes for f in findings)
    if any(f.undecided for f in findings):
        return CoverageVerdict(
            "not checked",
            "There is a mode with few points around it, and too few effective points to tell "
            "whether that is chance.",
            excess,
            0.0,
        )
    if not known and not modes:
        return CoverageVerdict(
            "not checked",
            "What the data would weigh is not known, as in a mixture or where the reference has no "
            "density, and the energy has no modes whose mass its curvature tells.",
            excess,
            0.0,
        )
    found = [f"{modes} modes that descents found"] if modes else []
    found += ["the data"] if known else []
    return CoverageVerdict("covered", f"The points reach {' and '.join(found)}.", excess, 0.0)


def _data_alarm(finding: _Finding) -> bool:
    if np.isnan(finding.excess):
        return False
    likely = stats.poisson(3 * finding.expected).ppf(1 - _CHANCE)
    return finding.excess > _FAR_ABOVE or finding.unreached > likely


class _Probe:
    """One normaliser's energy at any points, and the log weights of its own, at model values."""

    def __init__(self, model: pm.Model, normaliser: Normaliser, data: _Data | None):
        node = normaliser.nodes[0]
        split, self.reference = node.op.split, node.op.reference
        self._data, self._component = data, normaliser.row
        self._cores = [p.ndim for p in split.params]
        whole = len(split.params) + len(split.captured)
        self._values = model.compile_fn(
            node.inputs[:whole], inputs=model.value_vars, on_unused_input="ignore"
        )
        arrays = [array.data for array in node.inputs[whole:]]
        # Every k-th point of very many stands for all; where arrays are not by point, all do.
        self._every = max(self.reference.n_points // _MOST_POINTS, 1)
        if choose(node).name == "plain":
            self._every = 1
        self._arrays = [array[:: self._every] for array in arrays]
        slots = [array.type() for array in node.inputs[whole:]]
        if self._every > 1:
            slots = [pt.tensor(dtype=a.dtype, shape=(None, *a.shape[1:])) for a in arrays]
        types = [*(v.type() for v in node.inputs[:whole]), *slots]
        log_weights = node.op.log_weights(*types)
        self._log_weights = pytensor.function(types, log_weights, on_unused_input="ignore")
        self._flexible = split.x.type.shape[0] is None
        inputs, energy = [split.x, *split.params, *split.captured], split.at(split.x)
        self._energy = pytensor.function(inputs, energy, on_unused_input="ignore")
        self._slope = None
        if not self.reference.discrete and self._flexible:
            slope = _gradient(energy, split.x)
            if slope is not None:
                self._slope = pytensor.function(inputs, slope, on_unused_input="ignore")

    def at(self, point: dict[str, NDArray], rng: np.random.Generator) -> _Finding:
        """What the data and the modes say at one point of the model."""
        values = self._values(point)
        log_weights = np.asarray(self._log_weights(*values, *self._arrays))
        if self._component is not None:
            log_weights = log_weights[..., self._component, :]
        log_weights = log_weights.reshape(-1, log_weights.shape[-1])
        log_z, weights = normalise(log_weights + np.log(self._every))
        sizes = ess(weights)
        row = int(np.argmin(sizes))  # of rows of parameters, the one with the fewest
        theta = self._row(values, row)
        excess, unreached, n_data = self._data_excess(theta, log_weights[row], row, len(sizes))
        modes = self._modes(theta, rng)
        missed, place, undecided = missed_mass(
            modes, self._points(theta), weights[row], log_z[row], sizes[row], self.reference
        )
        expected = n_data * float(weights[row].max())
        return _Finding(excess, unreached, expected, n_data, missed, place, len(modes), undecided)

    def _row(self, values, row) -> list[NDArray]:
        """Parameters of one row of the batch, each of its core shape, and what is captured."""
        n = len(self._cores)
        theta = []
        for value, core in zip(values[:n], self._cores, strict=True):
            value = np.asarray(value)
            if self._component is not None and value.ndim > core:
                value = np.moveaxis(value, value.ndim - core - 1, 0)[self._component]
            flat = value.reshape(-1, *value.shape[value.ndim - core :])
            theta.append(flat[row if len(flat) > 1 else 0])
        return [*theta, *values[n:]]

    def _points(self, theta) -> NDArray:
        reference = self.reference
        if reference.transport is None:
            return reference.points[:: self._every]
        params = theta[: len(self._cores)]
        moved = reference.transport(pt.constant(reference.points), *map(pt.constant, params))
        return evaluate([moved[0]])[0]

    def _data_excess(self, theta, log_weights, row, n_rows) -> tuple[float, float, int]:
        """Excess of the largest datum, the number of data beyond all points, and that of all."""
        if self._data is None or not self._data.whole or not self._flexible:
            return np.nan, 0.0, 0
        data = self._data.values
        if n_rows > 1:
            if n_rows != len(data):
                return np.nan, 0.0, 0
            data = data[row : row + 1]
        n = len(self._cores)
        log_base = log_base_weights(
            self.reference,
            data,
            theta[:n],
            [np.shape(p) for p in theta[:n]],
            lambda anchor: self._energy(data, *anchor, *theta[n:]),
        )
        if log_base is None:
            return np.nan, 0.0, 0
        excess = log_base - self._energy(data, *theta) - log_weights.max()
        return float(excess.max()), float((excess > _MARGIN).sum()), len(data)

    def _modes(self, theta, rng) -> list[Mode]:
        """Modes with a curvature, by descent from data, points and places outside."""
        event = self.reference.event_shape
        n_dim = int(np.prod(event))
        points = self._points(theta).reshape(-1, n_dim)
        points = points[np.isfinite(points).all(axis=1)]
        slope_at = self._slope
        if slope_at is None or n_dim > _MOST_DIMENSIONS or len(points) == 0:
            return []
        known = (
            points
            if self._data is None
            else np.vstack([points, self._data.values.reshape(-1, n_dim)])
        )
        centre, scale = np.median(known, axis=0), known.std(axis=0) + 1e-300
        starts = [points[rng.integers(len(points), size=_STARTS)]]
        if self._data is not None:
            values = self._data.values.reshape(-1, n_dim)
            starts.append(values[rng.integers(len(values), size=_STARTS)])
        starts.append(centre + 3 * scale * rng.normal(size=(_STARTS, n_dim)))
        support = self.reference.support
        lower, upper = (
            np.broadcast_to(np.asarray(b, dtype=float), event).ravel()
            for b in (support.lower, support.upper)
        )

        def energy(x):
            return float(self._energy(x.reshape(1, *event), *theta)[0])

        def slope(x):
            return np.ravel(slope_at(x.reshape(1, *event), *theta)).astype(float)

        starts = np.clip(np.concatenate(starts), lower, upper)
        return find_modes(energy, slope, starts, lower, upper, scale)


@dataclass(frozen=True)
class _Data:
    """Data of an observed variable; `whole` where all of them have the one energy."""

    values: NDArray
    whole: bool


def _gradient(energy: Variable, x: Variable) -> Variable | None:
    try:
        return pt.grad(energy.sum(), x)
    except (NotImplementedError, NullTypeGradError):
        return None


def _data_by_name(model: pm.Model) -> dict[str, _Data]:
    """Data of the observed variables, by the names of their normalisers."""
    found = {}
    for rv in model.observed_RVs:
        values = evaluate([model.rvs_to_values[rv]])[0]
        for name, node in find_log_partitions(model):
            if name == rv.name or name.startswith(f"{rv.name}["):
                event = node.op.reference.event_shape
                if values.shape[values.ndim - len(event) :] == event:
                    found[name] = _Data(
                        values.reshape(-1, *event), isinstance(rv.owner.op, EnergyRV)
                    )
    return found
