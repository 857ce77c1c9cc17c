"""The questions of `report`, asked before sampling."""

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray
from pymc.blocking import DictToArrayBijection, RaveledVars
from scipy import optimize

from pymc_ebm.diagnostics.hull import check_hull
from pymc_ebm.diagnostics.normalisers import find_log_partitions
from pymc_ebm.diagnostics.reference_report import ReferenceReport
from pymc_ebm.diagnostics.reference_stats import compute_reference_stats
from pymc_ebm.diagnostics.report import report
from pymc_ebm.progress import progress

__all__ = ["check"]

# Step of the second differences, in the model's unconstrained space.
_STEP = 1e-3


def check(
    model: pm.Model | None = None, *, draws: int = 100, random_seed=0, progressbar: bool = False
) -> ReferenceReport:
    """Say before sampling what would go wrong with the estimated normalisers.

    First the start point: the log-probability of every variable must be finite there. Then the
    hull of the points' statistics (`check_hull`). Then the posterior mode, and draws of the normal
    approximation around it, which go through `compute_reference_stats` and `report` as the draws
    of a posterior would.

    Parameters
    ----------
    model : pm.Model, optional
        The model of the context by default.
    draws : int
        Of the normal approximation.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    progressbar : bool

    Returns
    -------
    ReferenceReport
        "failed" with the variable's name where the start is not finite or the data are outside the
        hull, without statistics; else that of the approximation. "ok" means that nothing stands in
        the way of sampling; the posterior has its own report.

    Raises
    ------
    ValueError
        A model without an estimated normaliser.

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
    model = pm.modelcontext(model)
    if not find_log_partitions(model):
        raise ValueError(
            "The model has no estimated normaliser. Use pymc_ebm.EBM, or pymc_ebm.log_partition "
            "inside a pm.Potential, and pass that model."
        )
    bad = {n: v for n, v in model.point_logps(round_vals=8).items() if not np.isfinite(v)}
    if bad:
        return _failed(
            [
                f"The log-probability of {name} is {value} at the start."
                for name, value in bad.items()
            ],
            ["Give initval= values at which the data are possible and the reference has weight."],
        )
    outside = {n: v for n, v in check_hull(model).items() if v.verdict == "outside"}
    if outside:
        return _failed(
            [
                f"The estimated likelihood of {n} has no maximum. {v.reason}"
                for n, v in outside.items()
            ],
            ["Widen or re-centre the reference, so that its points surround the data."],
        )
    idata = _normal_approximation(model, draws, np.random.default_rng(random_seed), progressbar)
    if idata is None:
        return _failed(
            ["No mode with a finite log-probability and curvature was found from the start."],
            ["Check the priors and the energy, or give initval= values nearer to the data."],
        )
    return report(compute_reference_stats(idata, model=model, progressbar=progressbar))


def _failed(reasons: list[str], remedies: list[str]) -> ReferenceReport:
    return ReferenceReport("failed", tuple(reasons), tuple(remedies), {}, {})


def _normal_approximation(model, draws, rng, progressbar) -> xr.DataTree | None:
    """Draws around the posterior mode, by the curvature of the log-probability."""
    start = model.initial_point()
    flat = DictToArrayBijection.map({v.name: start[v.name] for v in model.continuous_value_vars})
    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values(start)

    def downhill(u: NDArray) -> tuple[float, NDArray]:
        value, slope = function(u)
        return -float(value), -np.asarray(slope, dtype=float)

    with progress(progressbar) as bar, np.errstate(all="ignore"):
        bar.add_task("Posterior mode", total=None)
        mode = optimize.minimize(downhill, flat.data, jac=True, method="L-BFGS-B").x
        steps = _STEP * np.eye(len(mode))
        curvature = [(downhill(mode + h)[1] - downhill(mode - h)[1]) / (2 * _STEP) for h in steps]
    hessian = np.array(curvature)
    if not np.isfinite(hessian).all():
        return None
    widths, axes = np.linalg.eigh((hessian + hessian.T) / 2)
    # A direction that the model hardly knows is drawn with a width of one at most.
    scale = 1 / np.sqrt(np.maximum(widths, 1.0))
    u = mode + (rng.normal(size=(draws, len(scale))) * scale) @ axes.T
    values = model.compile_fn(model.unobserved_value_vars, inputs=model.value_vars)
    names = [v.name for v in model.unobserved_value_vars]
    rows = [
        values({**start, **DictToArrayBijection.rmap(RaveledVars(row, flat.point_map_info))})
        for row in u
    ]
    free = {rv.name for rv in model.free_RVs}
    posterior = {
        name: np.stack([row[i] for row in rows])[None]
        for i, name in enumerate(names)
        if name in free
    }
    arrays = {
        n: (("chain", "draw", *(f"{n}_dim_{k}" for k in range(v.ndim - 2))), v)
        for n, v in posterior.items()
    }
    dataset = xr.Dataset(arrays, coords={"chain": [0], "draw": np.arange(draws)})
    return xr.DataTree.from_dict({"posterior": dataset})
