"""`refine`: a posterior reweighted to better references, without sampling again."""

import json
import secrets
from collections.abc import Mapping

import numpy as np
import pymc as pm
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import ArrayLike, NDArray
from pytensor.graph.traversal import ancestors

from pymc_ebm.diagnostics.better._better_reference import better_references
from pymc_ebm.diagnostics.better._replace_reference import with_references
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.normalisers.posterior import flat_draws
from pymc_ebm.diagnostics.record import check_same_model, describe
from pymc_ebm.diagnostics.reference_stats import record_of
from pymc_ebm.partition.op import LogPartition
from pymc_ebm.progress import progress
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.normalised import ess, normalise
from pymc_ebm.weights.pareto_tails import khat_threshold, pareto_k

__all__ = ["refine", "smoothed_weights"]

# Flags of the sampler that stay true of a draw; its energies and densities do not.
_FLAGS = ("diverging", "reached_max_treedepth", "maxdepth_reached")
# Groups that do not depend on the normalisers.
_KEPT = ("observed_data", "constant_data", "prior")
_RESAMPLED = ("posterior", "unconstrained_posterior")


def refine(
    idata: xr.DataTree,
    *,
    reference: Reference | Mapping[str, Reference] | None = None,
    draws: int | None = None,
    model: pm.Model | None = None,
    random_seed: int | None = None,
    progressbar: bool = True,
) -> xr.DataTree:
    r"""Reweight a posterior to better references, without sampling again.

    .. math:: r_s = \log p_\text{new}(θ_s) - \log p_\text{old}(θ_s)

    is the exact change of the model's log-probability, −N (log Ẑ_new − log Ẑ_old) for N
    independent observations. The weights exp(r_s) are Pareto-smoothed, and the draws resampled by
    them: systematically, over all chains together and in their order. The repeats of a draw thus
    follow each other, and ArviZ's ESS of the result counts them as the dependence that they are.

    Parameters
    ----------
    idata : xr.DataTree
        With a posterior, of at least 25 draws.
    reference : Reference or dict of Reference, optional
        The better reference, by name where the model has several (see `replace_reference`). By
        default those of `better_reference`.
    draws : int, optional
        The number of points of the default references.
    model : pm.Model, optional
        The model that was sampled; that of the context by default.
    random_seed : int, optional
        Of the default references and the resampling.
    progressbar : bool

    Returns
    -------
    xr.DataTree
        A new one. ``posterior`` has the chains and draws of the old one, ``sample_stats`` the
        flags of divergences and tree depth that belong to its draws; ``reference_stats`` and
        ``reference_mcse`` are computed with the new references, so that `report` works at once.
        The group ``refinement`` has for each old draw its ``log_weight`` and how many ``copies``
        it got, and as attributes ``pareto_k`` and its ``pareto_k_limit``, ``ess`` of the weights,
        ``random_seed``, and as JSON text ``references``: fingerprints, descriptions and numbers
        of points, old and new. Data and prior are kept. Predictive draws and log-likelihoods
        depend on the old normaliser and are left out; deterministics that hold it are computed
        anew.

    Raises
    ------
    ValueError
        k-hat of the weights above min(1 − 1/log10 S, 0.7) for S draws: the two posteriors are too
        far apart, and the model has to be sampled again, as the message says. k-hat of the new
        reference's points above its limit at more than 1% of the refined draws. Fewer than 25
        draws, a posterior of another model, and what `better_reference` and `replace_reference`
        refuse.

    See Also
    --------
    replace_reference : the model that belongs to the result.

    References
    ----------
    A. Vehtari et al. (2024), "Pareto smoothed importance sampling", JMLR 25; G. Kitagawa (1996),
    J. Comput. Graph. Stat. 5, 1–25, for systematic resampling.

    Examples
    --------
    A posterior of equally spaced draws; usually it is what ``pm.sample`` returns.

    >>> import arviz as az, numpy as np, pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 3), 256, random_seed=1)
    >>> with pm.Model() as model:
    ...     s = pm.HalfNormal("s")
    ...     x = ebm.EBM(
    ...         "x", s, energy=lambda x, s: x**2 / (2 * s**2), reference=q, observed=[-1.0, 0.5]
    ...     )
    >>> idata = az.from_dict({"posterior": {"s": np.linspace(0.5, 1.5, 100)[None]}})
    >>> refined = ebm.refine(idata, draws=4096, model=model, random_seed=1, progressbar=False)
    >>> refined["posterior"].sizes["draw"], refined["refinement"].attrs["ess"] > 90
    (100, True)
    """
    fewest = 25
    old = Normalisers(model)
    posterior = old.posterior(idata)
    n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    if n_draws < fewest:
        raise ValueError(
            f"The posterior has {n_draws} draws, and smoothing their weights takes at least "
            f"{fewest}. Sample more."
        )
    if reference is not None and draws is not None:
        raise ValueError(
            f"There are a reference and draws={draws}. Leave one of them out: draws= is for the "
            "default references."
        )
    check_same_model(idata, describe(old))
    entropy = _entropy(random_seed)
    default = reference is None
    if reference is None:
        reference = better_references(
            idata, old, draws=draws, random_seed=entropy, progressbar=progressbar
        )
    new = with_references(old, reference)
    log_ratios = _log_ratios(old, new, posterior, progressbar)
    weights, khat = smoothed_weights(log_ratios)
    limit = khat_threshold(n_draws)
    if not khat <= limit:
        _refuse(khat, limit, float(ess(weights)), n_draws, default, draws, entropy)
    rng = np.random.default_rng([entropy, 1])
    index = _systematic(weights, rng)
    refined = _resampled(idata, index, new.model)
    for name, group in record_of(refined, new, progressbar=progressbar).groups().items():
        refined[name] = xr.DataTree(group)
    _check_new_reference(refined["reference_stats"].to_dataset())
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    copies = np.bincount(index, minlength=n_draws)
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    refined["refinement"] = xr.DataTree(
        xr.Dataset(
            {
                "log_weight": (("chain", "draw"), log_weights.reshape(shape)),
                "copies": (("chain", "draw"), copies.reshape(shape)),
            },
            coords={dim: posterior[dim] for dim in ("chain", "draw")},
            attrs={
                "pareto_k": float(khat),
                "pareto_k_limit": float(limit),
                "ess": float(ess(weights)),
                "random_seed": str(entropy),
                "references": json.dumps(
                    {
                        name: {"old": _described(before), "new": _described(after)}
                        for (name, before), after in zip(
                            old.references.items(), new.references.values(), strict=True
                        )
                    }
                ),
            },
        )
    )
    return refined


def smoothed_weights(log_ratios: ArrayLike) -> tuple[NDArray, float]:
    """Pareto-smoothed importance weights, normalised, and their k-hat.

    Parameters
    ----------
    log_ratios : array_like
        In nats, ``(S,)``; any constant may be added.

    Returns
    -------
    weights : ndarray
        ``(S,)``, summing to 1; not smoothed where there is no tail to fit.
    khat : float
        As `diagnostics.weights.pareto_k`.
    """
    log_ratios = np.asarray(log_ratios, dtype=float)
    khat = pareto_k(log_ratios)
    if np.isfinite(khat):
        # ArviZ takes log-likelihoods, whose weights are exp(−log-likelihood).
        with np.errstate(all="ignore"):
            log_ratios, _ = array_stats.psislw(-log_ratios)
    return normalise(log_ratios)[1], khat


def _log_ratios(
    old: Normalisers, new: Normalisers, posterior: xr.Dataset, progressbar: bool
) -> NDArray:
    """Change of the model's log-probability at each draw, ``(S,)`` in nats."""
    draws = flat_draws(posterior)
    n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    values = np.empty((2, n_draws))
    with progress(progressbar) as bar:
        task = bar.add_task("Reweighting the posterior", total=n_draws)
        for s in range(n_draws):
            point = {name: value[s] for name, value in draws.items()}
            values[:, s] = old.log_probability(point), new.log_probability(point)
            bar.advance(task)
    for which, logp in zip(("given", "new"), values, strict=True):
        bad = np.isnan(logp) | np.isposinf(logp) | (np.isneginf(logp) & (which == "given"))
        if bad.any():
            raise ValueError(
                f"The log-probability is {logp[bad][0]} with the {which} reference at {bad.sum()} "
                f"of {n_draws} draws, the first with index {int(np.argmax(bad))}. Pass the model "
                "that was sampled, and a reference with the support of the model."
            )
    return values[1] - values[0]


def _refuse(khat, limit, size, n_draws, default, draws, entropy) -> None:
    made = (
        "..."
        if not default
        else (
            f"ebm.better_reference(idata, {'' if draws is None else f'draws={draws}, '}"
            f"random_seed={entropy}, model=model)"
        )
    )
    why = "undefined" if np.isnan(khat) else f"{khat:.2f}"
    raise ValueError(
        f"k-hat of the weights is {why}, and {limit:.2f} is the most for {n_draws} draws (their "
        f"ess is {size:.3g}): the posteriors with the two references are too far apart. Sample "
        f"again with the better one: with ebm.replace_reference(model, {made}): pm.sample()."
    )


def _check_new_reference(stats: xr.Dataset) -> None:
    """Refuse what rests on a reference that is itself too narrow for the model."""
    references = json.loads(stats.attrs["references"])
    for name in stats["ebm"].to_numpy().tolist():
        limit = khat_threshold(references[name]["n_points"])
        khat = stats["pareto_k"].sel(ebm=name).to_numpy()
        if not references[name]["exact"] and (~(khat <= limit)).mean() > Limits().high_khat_share:
            raise ValueError(
                f"k-hat of the better reference of {name} is {np.max(khat):.2f} at the refined "
                f"posterior, and {limit:.2f} is the most: its points do not reach all of the model "
                f"either. Give reference={{{name!r}: ...}}, a wider one."
            )


def _entropy(random_seed: int | None) -> int:
    """The seed, or one that can be told afterwards."""
    return secrets.randbits(64) if random_seed is None else int(random_seed)


def _systematic(weights: NDArray, rng: np.random.Generator) -> NDArray:
    """Indices ``(S,)``, in order, of S draws by weight: S w_s of draw s, give or take one."""
    positions = (rng.random() + np.arange(len(weights))) / len(weights)
    edges = np.cumsum(weights)
    return np.searchsorted(edges / edges[-1], positions, side="right")


def _resampled(idata: xr.DataTree, index: NDArray, model: pm.Model) -> xr.DataTree:
    """The draws at `index`, and what is still true without the old normalisers."""
    groups: dict[str, xr.Dataset] = {}
    for name, node in idata.children.items():
        dataset = node.to_dataset()
        if name in _KEPT:
            groups[name] = dataset.copy(deep=True)
        elif name in _RESAMPLED:
            groups[name] = _at(dataset, index)
        elif name == "sample_stats":
            groups[name] = _at(dataset[[flag for flag in _FLAGS if flag in dataset]], index)
    stale = [
        variable.name
        for variable in model.deterministics
        if variable.name in groups["posterior"] and _holds_log_partition(variable)
    ]
    if stale:
        anew = pm.compute_deterministics(
            groups["posterior"], var_names=stale, model=model, progressbar=False
        )
        groups["posterior"] = groups["posterior"].assign(anew.data_vars)
    return xr.DataTree.from_dict(groups)


def _at(dataset: xr.Dataset, index: NDArray) -> xr.Dataset:
    """Draws of all chains together, in the layout of chains."""
    chain, draw = np.divmod(index.reshape(dataset.sizes["chain"], -1), dataset.sizes["draw"])
    picked = dataset.drop_vars(["chain", "draw"], errors="ignore").isel(
        chain=xr.DataArray(chain, dims=("chain", "draw")),
        draw=xr.DataArray(draw, dims=("chain", "draw")),
    )
    return picked.assign_coords({dim: dataset[dim] for dim in ("chain", "draw")})


def _holds_log_partition(variable) -> bool:
    return any(v.owner and isinstance(v.owner.op, LogPartition) for v in ancestors([variable]))


def _described(reference: Reference) -> dict[str, str | int]:
    return {
        "fingerprint": reference.fingerprint,
        "description": reference.description,
        "n_points": int(reference.n_points),
    }
