"""Larger references of the kinds that a model has, as many points as its posterior needs."""

from collections.abc import Iterator

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from pymc_ebm.diagnostics.checks.added_error import added_error
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.normalisers.posterior import flat_draws
from pymc_ebm.diagnostics.record import Record, check_same_model, describe
from pymc_ebm.diagnostics.reference_stats import record_of
from pymc_ebm.reference._fitted import fitted
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.sizes import enough_points, most_points, times_needed
from pymc_ebm.reference.uniforms import balanced
from pymc_ebm.weights.normalised import ess, normalise
from pymc_ebm.weights.pareto_tails import pareto_k

__all__ = ["better_reference", "better_references"]


def better_reference(
    idata: xr.DataTree,
    *,
    draws: int | None = None,
    most_khat: float = 0.5,
    model: pm.Model | None = None,
    random_seed: int | None = None,
    progressbar: bool = True,
) -> dict[str, Reference]:
    r"""Make a better reference for each estimated normaliser of a posterior.

    It is of the kind of the old one: `reference.independent` becomes scrambled Sobol points of
    the same q (independent ones where q has no quantile function); `reference.fitted` is fitted
    anew, to draws of the model at the posterior instead of the data; chains run longer at their
    anchors. A q too narrow for the model, with a k-hat above 1/2 somewhere in the posterior, is
    replaced by one that `reference.fitted` makes: more points of it would hardly help, as their
    weights have no finite variance. By default it has

    .. math:: M' = M (ε / 0.05)^2

    points, where ε is the largest share of a posterior sd that the old references add to a
    mean or sd (see `report`), rounded up to a power of two, and between 4 M and 131,072, or what
    2²⁴ energies of all rows of parameters allow. Sobol points usually do better than this.

    Parameters
    ----------
    idata : xr.DataTree
        With a posterior; `compute_reference_stats` is run where its groups are missing.
    draws : int, optional
        The number of points, M'.
    most_khat : float
        Largest k-hat at which more points of the same q are made; weights with a larger one have
        no finite variance.
    model : pm.Model, optional
        The model of the context by default.
    random_seed : int, optional
        The same seed gives the same references.
    progressbar : bool

    Returns
    -------
    dict of Reference
        By the name of the normaliser; those that shared a reference share the new one. Exact
        references are left out.

    Raises
    ------
    ValueError
        No random reference, or one of which only the points are known.

    Examples
    --------
    >>> import arviz as az, numpy as np, pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 3), 256, random_seed=1)
    >>> with pm.Model() as model:
    ...     s = pm.HalfNormal("s")
    ...     x = ebm.EBM(
    ...         "x", s, energy=lambda x, s: x**2 / (2 * s**2), reference=q, observed=[-1.0, 0.5]
    ...     )
    >>> idata = az.from_dict({"posterior": {"s": np.linspace(0.5, 1.5, 100)[None]}})
    >>> ebm.better_reference(idata, draws=4096, model=model, random_seed=1)["x"]
    Reference(Normal, sobol, 4,096 points, 16 groups, event shape (), support the whole line)
    """
    return better_references(
        idata,
        Normalisers(model),
        draws=draws,
        most_khat=most_khat,
        random_seed=random_seed,
        progressbar=progressbar,
    )


def better_references(
    idata: xr.DataTree,
    normalisers: Normalisers,
    *,
    draws: int | None,
    most_khat: float = 0.5,
    random_seed: int | None,
    progressbar: bool,
) -> dict[str, Reference]:
    """`better_reference` of a model whose normalisers have been found."""
    check_same_model(idata, describe(normalisers))
    shared: dict[str, list[Normaliser]] = {}
    for normaliser in normalisers:
        if normaliser.reference.level != "exact":
            shared.setdefault(normaliser.reference.fingerprint, []).append(normaliser)
    if not shared:
        raise ValueError(
            "The model has no random reference, so that more points do not help. Give reference=, "
            "a rule of higher order or a larger space."
        )
    posterior = normalisers.posterior(idata)
    times = _times(idata, normalisers, progressbar) if draws is None else 1.0
    rng = np.random.default_rng(random_seed)
    found = {}
    for group in shared.values():
        old = group[0].reference
        size = draws or _draws(old, times, normalisers, group, posterior)
        if old.remake is None:
            name = group[0].name
            raise ValueError(
                f"Of the reference of {name} ({old.description or 'by hand'}) only the points are "
                f"known, so that no better one can be made. Give reference={{{name!r}: ...}} with "
                "more points or of a better fit."
            )
        weights = _PosteriorWeights(group, normalisers, posterior)
        draw = lambda weights=weights: weights.model_draws(rng)
        if old.refittable and weights.khat() > most_khat:
            new = fitted(
                draw(),
                balanced(size),
                support=old.support,
                event_ndim=len(old.event_shape),
                random_seed=rng,
            )
        else:
            new = old.again(size, rng, draw)
        found.update({normaliser.name: new for normaliser in group})
    return found


def _times(idata: xr.DataTree, normalisers: Normalisers, progressbar: bool) -> float:
    """How many times the points bring the added error to the wanted share; inf if unknown."""
    if "reference_mcse" not in idata.children:
        record = record_of(idata, normalisers, checks=(), progressbar=progressbar)
    else:
        record = Record.read(idata)
    worst = max(share for row in added_error(record.draws).values() for share in row.values())
    return times_needed(worst, wanted_share=Limits().aimed_share)


def _draws(
    old: Reference,
    times: float,
    normalisers: Normalisers,
    group: list[Normaliser],
    posterior: xr.Dataset,
) -> int:
    rows = 1
    if any(normaliser.nodes[0].outputs[0].ndim for normaliser in group):
        sensitivity = normalisers.amplification({n: v[0] for n, v in flat_draws(posterior).items()})
        rows = max(sensitivity[normaliser.name].size for normaliser in group)
    # Arrays of 128 MiB where there are many rows.
    most = max(most_points(rows, points=2**17, energies=2**24), old.n_points)
    # An error is halved at least, or the better reference hardly is one.
    return enough_points(old.n_points, max(times, 4), most)


class _PosteriorWeights:
    """Weights of the points of normalisers that share them, at draws over the posterior.

    Parameters
    ----------
    group : list of Normaliser
    normalisers : Normalisers
        All of the model.
    posterior : xr.Dataset
    """

    def __init__(self, group: list[Normaliser], normalisers: Normalisers, posterior: xr.Dataset):
        self._group, self._posterior = group, posterior
        self._reference = group[0].reference
        self._function = normalisers.compile([normaliser.log_weights() for normaliser in group])

    def khat(self) -> float:
        """Largest k-hat, at each draw that of the row with the least ESS; inf where undefined."""
        worst = -np.inf
        for log_weights, weights in self._rows():
            found = pareto_k(log_weights[np.argmin(ess(weights))])
            worst = max(worst, np.inf if np.isnan(found) else found)
        return worst

    def model_draws(self, rng: np.random.Generator) -> NDArray:
        """Draws of p(x | θ), of each row of parameters, over the posterior: ``(B, *event)``.

        They are points of the old reference, resampled by their mean weight.
        """
        total = np.zeros(self._reference.n_points)
        for _, weights in self._rows():
            total += np.nan_to_num(weights).sum(axis=0)
        if total.sum() == 0:
            raise ValueError(
                f"No point of the reference of {self._group[0].name} has any weight at the "
                "posterior, so that nothing can be fitted to them. Give reference=, one that "
                "covers the data."
            )
        chosen = rng.choice(len(total), 4096, p=total / total.sum())
        return self._reference.points[chosen]

    def _rows(self) -> Iterator[tuple[NDArray, NDArray]]:
        """Log weights and normalised weights, ``(R, M)``, of every normaliser at every draw."""
        draws = flat_draws(self._posterior)
        n_draws = self._posterior.sizes["chain"] * self._posterior.sizes["draw"]
        for s in np.unique(np.linspace(0, n_draws - 1, 64).astype(int)):
            for log_weights in self._function({name: values[s] for name, values in draws.items()}):
                log_weights = log_weights.reshape(-1, self._reference.n_points)
                yield log_weights, normalise(log_weights)[1]
