"""The questions of `report`, asked before sampling."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray
from pymc.blocking import DictToArrayBijection, RaveledVars
from scipy import optimize

from pymc_ebm.diagnostics._report import judged
from pymc_ebm.diagnostics.checks import CHECKS, Check
from pymc_ebm.diagnostics.checks.maximum import maximum_words
from pymc_ebm.diagnostics.hull._hull import hull_verdicts
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.reference_stats import record_of
from pymc_ebm.diagnostics.unusable_energies import EnergyFaults
from pymc_ebm.diagnostics.words.reference_report import ReferenceReport
from pymc_ebm.numbers import number
from pymc_ebm.progress import progress

__all__ = ["check"]


def check(
    model: pm.Model | None = None,
    *,
    draws: int = 100,
    random_seed=0,
    limits: Limits | None = None,
    checks: Sequence[Check] = CHECKS,
    progressbar: bool = False,
) -> ReferenceReport:
    """Say before sampling what would go wrong with the estimated normalisers.

    It looks, in this order, at

    - memory: what the energies of all points and rows of parameters take;
    - the start: energies that are NaN or all +inf, and a log-probability that is not finite;
    - the hull of the points' statistics (`check_hull`);
    - the posterior mode and draws of the normal approximation around it: energies as at the
      start, then `compute_reference_stats` and `report`, as if these were draws of a posterior.
      Discrete parameters stay at their start.

    The first of these that fails ends the search. The last reason says where it looked.

    Parameters
    ----------
    model : pm.Model, optional
        The model of the context by default.
    draws : int
        Of the normal approximation.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    limits : Limits, optional
        What is allowed.
    checks : sequence of Check
        The questions, as for `report`.
    progressbar : bool

    Returns
    -------
    ReferenceReport
        "failed" without statistics where something stands in the way of computing them; else that
        of the approximation. "ok" means that nothing stands in the way of sampling; the posterior
        has its own report.

    Raises
    ------
    ValueError
        A model without an estimated normaliser or without free parameters; `draws` below 1.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> data = np.random.default_rng(0).normal(0, 2, size=100)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=lambda x, s: x**2 / (2 * s**2), observed=data)
    >>> ebm.check(model).status
    'ok'
    """
    if not draws >= 1:
        raise ValueError(f"draws is {draws}. Give at least one.")
    normalisers = Normalisers(model).required()
    if not normalisers.parameters:
        raise ValueError(
            "The model has no free parameter, so that there is no posterior to check. Ask "
            "log_partition_at for log Z with its error."
        )
    faults, model = EnergyFaults(normalisers), normalisers.model
    start = model.initial_point()
    own_start = normalisers.own_scale(start)
    at_start = f"the start ({_values(own_start)})"
    if too_large := faults.memory(own_start):
        return _failed(*too_large)
    if unusable := faults.energies(own_start, at_start):
        return _failed(*unusable)
    logps = normalisers.log_probabilities(own_start)
    bad = {
        n: "not a number" if np.isnan(v) else number(v)
        for n, v in logps.items()
        if not np.isfinite(v)
    }
    if bad:
        return _failed(
            [f"The log-probability of {n} is {v} at {at_start}." for n, v in bad.items()],
            ["Give initval= values at which the data are possible and the reference has weight."],
        )
    if unbounded := _no_maximum(normalisers):
        return _failed(*unbounded)
    around = _NormalApproximation(model, start, progressbar)
    which = "the posterior mode" if around.found else "where the search for the mode ended"
    own_mode = normalisers.own_scale(around.mode)
    at_mode = f"{which} ({_values(own_mode)})"
    if unusable := faults.energies(own_mode, at_mode):
        return _failed(*unusable)
    if not around.known:
        if unusable := faults.slopes(own_start, at_start):
            return _failed(*unusable)
        return _failed(
            [
                "No mode with a finite log-probability and curvature was found from "
                f"{at_start}: the search ended at {_values(own_mode)}."
            ],
            ["Check the priors and the energy, or give initval= values nearer to the data."],
        )
    found = around.draws(draws, np.random.default_rng(random_seed))
    points = [normalisers.own_scale(point) for point in found]
    # Of the draws around the mode, how many are searched for energies that are NaN or all infinite.
    for i in np.unique(np.linspace(0, draws - 1, 8).astype(int)):
        where = f"a draw around the mode ({_values(points[i])})"
        if unusable := faults.energies(points[i], where):
            return _failed(*unusable)
    checks = [c for c in checks if c.before_sampling]
    record = record_of(_as_posterior(points), normalisers, checks=checks, progressbar=progressbar)
    verdict = judged(record, checks, limits)
    looked = [f"Looked at {at_start}, {at_mode} and {draws} draws around it."]
    if not model.continuous_value_vars:
        looked = [f"Looked at {at_start} alone: no parameter is continuous."]
    if around.found and around.gained > 0.1:
        looked.append(
            f"A first search for the mode stopped {number(around.gained)} nats below it, at the "
            "end of a domain say, as pm.find_MAP may do without a word: use "
            "find_MLE(include_prior=True) for the mode."
        )
    return replace(verdict, reasons=(*verdict.reasons, *looked))


def _no_maximum(normalisers: Normalisers) -> tuple[list[str], list[str]] | None:
    """Reasons and remedies where the hull proves that the estimated likelihood has no maximum."""
    verdicts = hull_verdicts(normalisers)
    words = maximum_words({name: asdict(v) for name, v in verdicts.items()})
    return (words.failures, words.remedies) if words.failures else None


def _failed(reasons: list[str], remedies: list[str]) -> ReferenceReport:
    return ReferenceReport("failed", tuple(reasons), tuple(remedies), {}, {})


class _NormalApproximation:
    """The posterior mode and the curvature of the log-probability there, in unconstrained values.

    Attributes
    ----------
    mode : dict
        Values of ``model.value_vars``.
    known : bool
        Whether the curvature is finite.
    found : bool
        Whether the log-probability is at a maximum there.
    gained : float
        Nats by which the mode is above where the first search for it ended.
    """

    def __init__(self, model, start, progressbar):
        # Of second differences, in the model's unconstrained space.
        difference = 1e-3
        # Nats within which a search has found the mode.
        near = 0.01
        self._start = start
        self._mode, self._hessian = np.empty(0), np.empty((0, 0))
        self.mode, self.known, self.found, self.gained = start, True, True, 0.0
        values = {v.name: start[v.name] for v in model.continuous_value_vars}
        if not values:
            return
        flat = DictToArrayBijection.map(values)
        self._info = flat.point_map_info
        function = model.logp_dlogp_function(ravel_inputs=True)
        function.set_extra_values(start)

        def downhill(u: NDArray) -> tuple[float, NDArray]:
            value, slope = function(u)
            return -float(value), -np.asarray(slope, dtype=float)

        with progress(progressbar) as bar, np.errstate(all="ignore"):
            task = bar.add_task("Posterior mode", total=None)
            mode, size, value, ends = flat.data, 1.0, np.inf, []
            # Where twelve searches have not found the mode, more do not.
            for _ in range(12):
                # A first step beyond the domain of parameters ends a search: on with smaller ones.
                mode, endless = _minimum(downhill, mode, size)
                bar.advance(task)
                before, (value, slope) = value, downhill(mode)
                ends.append(value)
                hessian = np.array(
                    [
                        (downhill(mode + h)[1] - downhill(mode - h)[1]) / (2 * difference)
                        for h in difference * np.eye(len(mode))
                    ]
                )
                self._hessian = (hessian + hessian.T) / 2
                self.known = bool(np.isfinite(hessian).all())
                above = _nats_above(slope, self._hessian) if self.known else np.inf
                self.found = above < near
                # A search that goes on and on where nothing bends upwards has no end.
                if self.found or (endless and np.isinf(above)):
                    break
                size = size if before - value > near else size / 10
        self._mode, self.mode, self.gained = mode, self._point(mode), ends[0] - ends[-1]

    def draws(self, number: int, rng: np.random.Generator) -> list[dict]:
        widths, axes = np.linalg.eigh(self._hessian)
        # A direction that the model hardly knows is drawn with a width of one at most.
        scale = 1 / np.sqrt(np.maximum(widths, 1.0))
        u = self._mode + (rng.normal(size=(number, len(scale))) * scale) @ axes.T
        return [self._point(row) for row in u]

    def _point(self, u: NDArray) -> dict:
        if not u.size:
            return self._start
        return {**self._start, **DictToArrayBijection.rmap(RaveledVars(u, self._info))}


def _minimum(function, start: NDArray, size: float) -> tuple[NDArray, bool]:
    """Where L-BFGS ends that begins with a step of about `size`; whether it was cut off there."""

    def scaled(v):
        value, slope = function(start + size * v)
        return value, size * slope

    found = optimize.minimize(scaled, np.zeros(len(start)), jac=True, method="L-BFGS-B")
    return start + size * found.x, found.status == 1


def _nats_above(slope: NDArray, hessian: NDArray) -> float:
    """How far a function is above its minimum, by Newton's quadratic; inf where it has none."""
    if np.linalg.eigvalsh(hessian).min(initial=np.inf) <= 0 or not np.isfinite(slope).all():
        return np.inf
    return float(slope @ np.linalg.solve(hessian, slope)) / 2


def _as_posterior(points: list[dict]) -> xr.DataTree:
    """One chain of points on the parameters' own scale."""
    posterior = {name: np.stack([point[name] for point in points])[None] for name in points[0]}
    arrays = {
        n: (("chain", "draw", *(f"{n}_dim_{k}" for k in range(v.ndim - 2))), v)
        for n, v in posterior.items()
    }
    dataset = xr.Dataset(arrays, coords={"chain": [0], "draw": np.arange(len(points))})
    return xr.DataTree.from_dict({"posterior": dataset})


def _values(point: dict) -> str:
    """Parameters on their own scale, as text."""
    return ", ".join(
        f"{name} = {np.array2string(np.asarray(v), threshold=6, precision=4)}"
        for name, v in point.items()
    )
