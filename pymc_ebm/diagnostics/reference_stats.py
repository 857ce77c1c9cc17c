"""Statistics of the estimated normalisers at every draw of a posterior."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray
from pymc.pytensorf import resolve_backend_compile_kwargs

from pymc_ebm.diagnostics.checks import CHECKS, Check, Draws, EstimatedTwice
from pymc_ebm.diagnostics.error.level_error import LevelError
from pymc_ebm.diagnostics.error.posterior_error import PosteriorError
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.normalisers.posterior import checksums, flat_draws
from pymc_ebm.diagnostics.record import CHECKSUM, STATISTICS, Record, check_same_model, describe
from pymc_ebm.diagnostics.sums.log_weights import LogWeights
from pymc_ebm.diagnostics.sums.sharded_log_weights import ShardedLogWeights
from pymc_ebm.diagnostics.sums.statistics import log_weights_of, statistics_at
from pymc_ebm.progress import progress

__all__ = ["compute_reference_stats", "record_of"]


def compute_reference_stats(
    idata: xr.DataTree,
    *,
    var_names: str | Sequence[str] | None = None,
    extend_inferencedata: bool = True,
    model: pm.Model | None = None,
    checks: Sequence[Check] = CHECKS,
    progressbar: bool = True,
    backend: str | None = None,
    compile_kwargs: dict[str, Any] | None = None,
    second_estimate_seconds: float | None = None,
    draws: int | None = None,
) -> xr.DataTree:
    r"""Compute what the estimated normalisers did, at the draws of the posterior.

    With c the amplification (see `amplification`) and w̄ the normalised weights, the group
    ``reference_stats`` has for each (chain, draw, ebm)

    ==================  =====================================================================
    log_partition       log Ẑ in nats; the c-weighted mean over batch rows
    log_partition_mcse  its Monte Carlo standard error in nats
    ess                 effective number of points, of the row with the least
    pareto_k            k-hat of the weights of that row
    amplification       c summed over rows
    loglik_variance     variance of the log-likelihood in nats², from φ_m = Σ_r c_r w̄_mr
    zero_weight_share   share of points where the energy is +inf, of the row with the most
    edge_weight         normalised weight at the edge of a truncated space, of the worst row
    quadrature_error    change of log Ẑ by half the nodes, in nats, of the worst row; 0 for others
    ==================  =====================================================================

    and for each variable or potential, along the dimension ``variable``, ``elpd_mcse``: the Monte
    Carlo standard error in nats that the level of log Ẑ adds to its elpd, beside that of LOO. NaN
    where log Ẑ is known up to a constant only. ``draw_checksum`` tells each draw from others, so
    that a report knows statistics of another posterior.

    The group ``reference_mcse`` has for each free parameter the standard errors that the
    draws of the references add to its posterior mean and sd, along the dimension ``statistic``
    and in the unit of the parameter. They come from the infinitesimal jackknife
    :math:`φ_m = -\operatorname{Cov}_s(g_s, \sum_r c_r(s) \bar w_{mr}(s))` and hold where k-hat
    is below 0.5. An exact reference adds nothing: its errors are 0 and its k-hat −inf.

    What the checks of `report` measure is in the attributes of both groups, as JSON text by the
    check's name. ``second_estimate`` has, of a second estimate of every normaliser that shares
    neither points nor weights with the first, the shifts of the posterior means and sds with it;
    ``hull`` has the verdicts of `check_hull`.

    Parameters
    ----------
    idata : xr.DataTree
        With a posterior group.
    var_names : str or sequence of str, optional
        Variables and potentials whose normalisers to look at. All by default; a report says which
        were left out.
    extend_inferencedata : bool, default True
        Add the two groups to `idata` and return it. Otherwise return a tree of the two alone.
    model : pm.Model, optional
        The model of the context by default.
    checks : sequence of Check
        Whose `measure` is stored for `report`, as JSON text in the attributes.
    progressbar : bool, default True
    backend : str, optional
        "numba", "c" or "jax".
    compile_kwargs : dict, optional
        Passed to ``model.compile_fn``.
    second_estimate_seconds : float, optional
        Processor time that the second estimate of the normalisers may take. It stops earlier where
        its word is clear. By default as long as making the default references and sampling took,
        and at least 10 s.
    draws : int, optional
        Posterior draws at which to look, at least, evenly thinned in each chain. By default all;
        or as many as make 2 × 10⁷ sums of a point in a row, and no fewer than 200, which estimate
        the errors added to means within about 15%, and the smaller ones to sds within a factor
        of 2.

    Returns
    -------
    xr.DataTree

    Raises
    ------
    ValueError
        If the model has no estimated normaliser, or a name of `var_names` has none; if `idata` has
        no posterior of its parameters, one with draws that are not finite, or already has
        statistics made with another energy, reference or data; if `draws` is below 1.
    MemoryError
        If an energy that cannot be taken in blocks of points, or a pooled reference, has log
        weights of more rows and points than fit in memory.

    References
    ----------
    C. J. Geyer (1994); W. M. Farr (2019); J. Heinzel and S. Vitale, arXiv:2509.07221; A. Vehtari
    et al. (2024), "Pareto smoothed importance sampling".

    Examples
    --------
    A posterior of two draws; usually it is what ``pm.sample`` returns.

    >>> import arviz as az, numpy as np, pymc as pm, pymc_ebm as ebm
    >>> grid = ebm.reference.quadrature(-np.inf, np.inf)
    >>> gaussian = lambda x, s: x**2 / (2 * s**2)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=gaussian, reference=grid, observed=[-1.0, 0.5, 2.0])
    >>> idata = az.from_dict({"posterior": {"sigma": np.array([[1.0, 1.5]])}})
    >>> idata = ebm.compute_reference_stats(idata, model=model, progressbar=False)
    >>> idata["reference_stats"]["log_partition"].to_numpy().ravel().round(4).tolist()
    [0.9189, 1.3244]
    """
    record = record_of(
        idata,
        Normalisers(model, var_names).required(),
        checks=[
            EstimatedTwice(second_estimate_seconds) if isinstance(c, EstimatedTwice) else c
            for c in checks
        ],
        progressbar=progressbar,
        n_draws=draws,
        **resolve_backend_compile_kwargs(backend, compile_kwargs),
    )
    groups = record.groups()
    if not extend_inferencedata:
        return xr.DataTree.from_dict(groups)
    for name, group in groups.items():
        idata[name] = xr.DataTree(group)
    return idata


def record_of(
    idata: xr.DataTree,
    normalisers: Normalisers,
    *,
    checks: Sequence[Check] = CHECKS,
    progressbar: bool,
    n_draws: int | None = None,
    **compile_kwargs: Any,
) -> Record:
    """What `compute_reference_stats` stores, of normalisers on their own scale."""
    if n_draws is not None and not n_draws >= 1:
        raise ValueError(f"draws is {n_draws}. Give at least one.")
    posterior = normalisers.posterior(idata)
    attributes = describe(normalisers)
    check_same_model(idata, attributes)
    log_weights = [log_weights_of(normaliser) for normaliser in normalisers]
    function = normalisers.compile(
        [
            *normalisers.amplification_graphs,
            *[parameter for of_one in log_weights for parameter in of_one.parameters],
        ],
        **compile_kwargs,
    )
    variables = [n.variable for n in normalisers]
    thinned = _thinned(function, posterior, log_weights, n_draws)
    stats, errors, of_elpd = _over_draws(function, thinned, log_weights, variables, progressbar)
    sample_coords = {dim: thinned[dim] for dim in ("chain", "draw")}
    dataset = xr.Dataset(
        {name: (("chain", "draw", "ebm"), values) for name, values in stats.items()}
        | {
            "elpd_mcse": ("variable", list(of_elpd.values())),
            CHECKSUM: (("chain", "draw"), checksums(thinned)[0].to_numpy()),
        },
        coords={
            **sample_coords,
            "ebm": [n.name for n in normalisers],
            "variable": list(of_elpd),
        },
    )
    references, left_out = json.loads(attributes["references"]), normalisers.left_out
    draws = Draws(posterior, dataset, errors, references, left_out=left_out)
    measured = {check.name: check.measure(normalisers, draws) for check in checks}
    return Record(
        draws, {name: value for name, value in measured.items() if value is not None}, attributes
    )


def _thinned(
    function: Any,
    posterior: xr.Dataset,
    log_weights: Sequence[LogWeights | ShardedLogWeights],
    wanted: int | None,
    *,
    most_sums: float = 2e7,
    fewest: int = 200,
) -> xr.Dataset:
    """The posterior with every k-th draw of each chain, so that at least the wanted are left."""
    chains, length = posterior.sizes["chain"], posterior.sizes["draw"]
    if wanted is None:
        outputs = function({name: values[0] for name, values in flat_draws(posterior).items()})
        rows = [np.size(c) for c in outputs[: len(log_weights)]]
        points = [of_one.points_per_row for of_one in log_weights]
        wanted = max(int(most_sums / max(np.dot(rows, points), 1)), fewest)
    return posterior.isel(draw=slice(None, None, max(chains * length // wanted, 1)))


def _over_draws(
    function: Any,
    posterior: xr.Dataset,
    log_weights: Sequence[LogWeights | ShardedLogWeights],
    variables: list[str],
    progressbar: bool,
) -> tuple[dict[str, NDArray], xr.Dataset, dict[str, float]]:
    """Run over the draws one at a time: memory grows with draws or points, never their product."""
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    n_draws = shape[0] * shape[1]
    draws = flat_draws(posterior)
    stats = {name: np.empty((n_draws, len(log_weights))) for name in STATISTICS}
    references = [of_one.reference for of_one in log_weights]
    error = PosteriorError(posterior, {r.fingerprint: r for r in references if r.level != "exact"})
    keys = [(v, r.fingerprint) for v, r in zip(variables, references, strict=True)]
    level = LevelError(dict(zip(keys, references, strict=True)))
    with progress(progressbar) as bar:
        task = bar.add_task("Computing reference statistics", total=n_draws)
        for s in range(n_draws):
            outputs = function({name: values[s] for name, values in draws.items()})
            first = len(log_weights)
            for i, of_one in enumerate(log_weights):
                last = first + len(of_one.parameters)
                values, first = outputs[first:last], last
                c = np.asarray(outputs[i], dtype=float).reshape(-1)

                def add(
                    points, influence, s=s, key=keys[i], exact=of_one.reference.level == "exact"
                ):
                    if not exact:
                        error.add(s, key[1], points, influence)
                        level.add(key, points, influence)

                for name, value in statistics_at(of_one, values, c, add).items():
                    stats[name][s, i] = value
                level.add_amplification(keys[i], c.sum())
            bar.advance(task)
    shaped = {name: v.reshape(*shape, -1) for name, v in stats.items()}
    return shaped, error.result(), level.result(n_draws)
