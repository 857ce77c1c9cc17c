"""Whether a reference has points wherever the model has mass, as far as a search can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from pymc_ebm.diagnostics.coverage.at_draw import CoverageAtDraw, CoverageSearch, of_rows
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.normalisers.posterior import flat_draws
from pymc_ebm.numbers import number, percent
from pymc_ebm.reference.base import Reference

__all__ = ["CoverageVerdict", "check_coverage"]


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
        Share of the model's mass in the largest mode that the points miss; 0 if none.
    misfits, n_data : int
        Data whose energy only 0.1% of the model's mass exceeds, at the draw with the fewest, and
        of how many. They say something of the model and nothing of the reference.
    halves_nats : float
        Largest difference between two halves of the points in how log Ẑ changes from one posterior
        draw to another; NaN where there are too few groups.
    halves_p : float
        Probability of a difference as significant as that between sound halves.
    """

    verdict: Literal["covered", "missed", "not checked"]
    reason: str
    data_excess: float = np.nan
    missed_mass: float = 0.0
    misfits: int = 0
    n_data: int = 0
    halves_nats: float = 0.0
    halves_p: float = 1.0


def check_coverage(
    posterior: xr.Dataset,
    normalisers: Normalisers,
    *,
    draws: int = 3,
    random_seed=0,
    far_above: float = 3.0,
    chance: float = 1e-4,
) -> dict[str, CoverageVerdict]:
    r"""Look for mass of the model where the reference has no points.

    At a few posterior draws of each normaliser:

    - the data, whose log weight :math:`a(x_n) − E(x_n \mid θ)` with a(x) = −log q(x) − log M is
      compared with the largest of the points. Points that follow the model exceed it with
      probability about w̄ of the largest point, so many data far above it are a part of the model
      that the points miss. One-sided: data below all points mean a misspecified model, which is
      no fault of the reference.
    - the modes of the energy, by short chains and descents from data, from points and from
      dispersed places. Draws of a law around a mode measure its mass within a window, with nothing
      of the reference in it, and the points should carry that mass there (see `find_modes`). A
      state with a large weight is no alarm by itself: in many dimensions the lowest energy exceeds
      all points' weights, and has hardly any mass.
    - two halves of the points, which should agree on how log Ẑ changes from one draw to another
      (see `compare_halves`).

    Parameters
    ----------
    posterior : xr.Dataset
        Draws of the free parameters on their own scale, by chain and draw.
    normalisers : Normalisers
        Of the model, on that scale.
    draws : int
        Posterior draws at which to look, far from one another: a mode may have mass at some
        parameters only.
    random_seed : optional
        Of the starts.
    far_above : float
        Nats by which a single datum above all points is missed: as a point it would carry most of
        the weight.
    chance : float
        Of an alarm by a sound reference at one draw, where many data lie above all points.

    Returns
    -------
    dict of CoverageVerdict
        By the name of the normaliser. Exact references are covered.

    Notes
    -----
    What no search of this kind detects: a mode that neither chains and descents nor the data
    reach; one with less than 0.1% of the mass; one in more than 20 dimensions or 200 sites, or
    whose mass no simple law around it tells, such as a phase of strongly dependent sites, unless
    data visit it; and values of discrete sites that neither points nor data have.

    References
    ----------
    I. J. Good (1953), "The population frequencies of species", Biometrika 40, 237–264, for the
    share of draws that are beyond all seen before.
    """
    rng = np.random.default_rng(random_seed)
    values = flat_draws(posterior)
    rows = [{n: v[s] for n, v in values.items()} for s in _dispersed(values, draws)]
    verdicts = {}
    for normaliser in normalisers:
        reference = normaliser.reference
        if reference.level == "exact":
            verdicts[normaliser.name] = CoverageVerdict("covered", "The reference is exact.")
            continue
        if reference.n_rows is not None:
            verdicts[normaliser.name] = CoverageVerdict(*of_rows(reference))
            continue
        search = CoverageSearch(normalisers, normaliser)
        at_draws = [search.at(row, rng) for row in rows]
        verdict, reason = _judge(at_draws, reference, far_above, chance)
        nats, p = search.halves()
        verdicts[normaliser.name] = CoverageVerdict(
            verdict,
            reason,
            data_excess=_largest_excess(at_draws),
            missed_mass=max(f.modes.missed for f in at_draws) if verdict == "missed" else 0.0,
            misfits=min(f.improbable for f in at_draws),
            n_data=at_draws[0].n_data,
            halves_nats=nats,
            halves_p=p,
        )
    return verdicts


def _dispersed(values: Mapping[str, NDArray], draws: int) -> list[int]:
    """The draw nearest to the mean, then those farthest from the ones before, without the tails."""
    flat = np.column_stack([v.reshape(len(v), -1) for v in values.values()]).astype(float)
    flat = (flat - flat.mean(axis=0)) / (flat.std(axis=0) + 1e-300)
    from_mean = np.linalg.norm(flat, axis=1)
    picked = [int(from_mean.argmin())]
    # Share of the posterior draws that are no tail.
    inside = from_mean <= np.quantile(from_mean, 0.95)
    distance = np.where(inside, np.inf, 0.0)
    while len(picked) < draws:
        distance = np.minimum(distance, np.linalg.norm(flat - flat[picked[-1]], axis=1))
        if not distance.max() > 0:
            break
        picked.append(int(distance.argmax()))
    return picked


def _judge(
    at_draws: Sequence[CoverageAtDraw], reference: Reference, far_above: float, chance: float
) -> tuple[Literal["covered", "missed", "not checked"], str]:
    alarms = [f for f in at_draws if _data_alarm(f, far_above, chance)]
    if 2 * len(alarms) > len(at_draws):
        worst = max(alarms, key=lambda f: f.excess)
        return (
            "missed",
            f"{worst.unreached:.0f} of {worst.n_data} data have larger weights than all of "
            f"{reference.n_points:,} points, up to {number(worst.excess)} nats: the points do not "
            "reach where these data are.",
        )
    lost = max((f.modes for f in at_draws), key=lambda modes: modes.missed)
    if lost.mode is not None:
        return (
            "missed",
            f"The energy has a mode at {_spell(lost.mode.place)} that no points represent, with "
            f"{percent(lost.missed)} of the mass.",
        )
    if any(f.modes.undecided and f.after_selection for f in at_draws):
        return (
            "not checked",
            "The energy has a mode where few draws are left, and whether the selection would leave "
            "any is not known: that takes the density of the draws as a function, and many draws "
            "there.",
        )
    if any(f.modes.undecided for f in at_draws):
        return (
            "not checked",
            "There is a mode with few points around it, and too few effective points to tell "
            "whether that is chance.",
        )
    known = not np.isnan(_largest_excess(at_draws))
    modes = max(f.modes.reached for f in at_draws)
    if not known and not modes:
        return (
            "not checked",
            "What the data would weigh is not known, as in a mixture or where the reference has no "
            "density, and no mode was found whose mass a simple law tells.",
        )
    found = [f"{modes} mode{'s' * (modes > 1)} that chains and descents found"] if modes else []
    found += ["the data"] if known else []
    return "covered", f"The points reach {' and '.join(found)}."


def _spell(place: NDArray) -> str:
    """A place on one line, shortened."""
    text = np.array2string(np.round(np.ravel(place), 3), threshold=6, separator=", ")
    return text if place.ndim else text.strip("[]")


def _largest_excess(at_draws: Sequence[CoverageAtDraw]) -> float:
    return max((f.excess for f in at_draws if not np.isnan(f.excess)), default=np.nan)


def _data_alarm(at_draw: CoverageAtDraw, far_above: float, chance: float) -> bool:
    if np.isnan(at_draw.excess):
        return False
    likely = stats.poisson(3 * at_draw.expected).ppf(1 - chance)
    return at_draw.excess > far_above or at_draw.unreached > likely
