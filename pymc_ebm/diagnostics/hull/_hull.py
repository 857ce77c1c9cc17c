"""Whether an estimated likelihood has a maximum: data inside the convex hull of the points."""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pymc as pm
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from pymc_ebm.diagnostics.hull.coefficients import (
    FAR,
    NEAR,
    EnergyCoefficients,
    NotApplicable,
    moving,
)
from pymc_ebm.diagnostics.hull.extremes import all_points, extreme_points, statistics_of
from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.numbers import number
from pymc_ebm.reference.base import Reference

__all__ = ["HullVerdict", "check_hull", "hull_margin", "hull_verdicts", "in_hull"]

# Rounding of a margin: the linear programme's feasibility, in sds of the points.
_TOLERANCE = 1e-6
# Numbers in the statistics of the points beyond which a hull is first made of the extreme ones.
_MOST_NUMBERS = 2**20


@dataclass(frozen=True)
class HullVerdict:
    """Whether the statistics of an `EBM`'s data lie in the hull of its reference's points.

    Attributes
    ----------
    verdict : str
        "inside", "edge", "outside" or "not applicable".
    margin : float
        See `hull_margin`; of the worst row of parameters, and NaN where not applicable. Inside the
        hull of very many points, a lower bound: that of the hull of the extreme ones.
    reason : str
        One sentence.
    """

    verdict: Literal["inside", "edge", "outside", "not applicable"]
    margin: float
    reason: str


def hull_margin(point: ArrayLike, points: ArrayLike) -> float:
    r"""How far a point may move away from the mean of others within their convex hull.

    .. math:: \max \{ t : \bar z + t (p − \bar z) = \sum_m λ_m z_m,
              λ_m ≥ 0, \sum_m λ_m = 1 \}

    Parameters
    ----------
    point : array_like
        p, ``(K,)``.
    points : array_like
        z_m, ``(M, K)``; repeated ones count once.

    Returns
    -------
    float
        Above 1 inside, 1 on the boundary, below 1 outside. 0 where the points lie in a plane
        that misses p, and inf at the mean.

    Raises
    ------
    ValueError
        No points, or numbers that are not finite.
    ArithmeticError
        A linear programme that could not be solved.

    References
    ----------
    C. J. Geyer (2009), "Likelihood inference in exponential families and directions of
    recession", Electron. J. Stat. 3, 259–289, doi:10.1214/08-EJS349.

    Examples
    --------
    >>> square = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> round(hull_margin([0.5, 0.75], square), 6), round(hull_margin([0.5, 1.5], square), 6)
    (2.0, 0.5)
    """
    p, z = np.asarray(point, dtype=float).ravel(), np.asarray(points, dtype=float)
    z = np.unique(z.reshape(-1, p.size), axis=0)
    if len(z) == 0 or not (np.isfinite(z).all() and np.isfinite(p).all()):
        raise ValueError(
            f"The hull of {len(z)} points is asked for, not all finite. Leave out points without "
            "weight."
        )
    size = np.maximum(np.abs(z).max(axis=0), np.abs(p))
    centre = z.mean(axis=0)
    z, p = z - centre, p - centre
    # A statistic that is constant but for rounding is constant.
    z[:, np.abs(z).max(axis=0) <= 1e-12 * size] = 0
    p[np.abs(p) <= 1e-12 * size] = 0
    if not p.any():
        return np.inf
    scale = z.std(axis=0)
    scale = np.where(scale > 0, scale, np.where(p != 0, np.abs(p), 1.0))
    z, p = z / scale, p / scale
    # In the principal axes of the points every axis has a width, or p must not leave the centre.
    _, sizes, axes = np.linalg.svd(z, full_matrices=False)
    # Share of the largest singular value below which a direction counts as flat.
    axes = axes[sizes > 1e-9 * sizes[0]] if sizes[0] > 0 else axes[:0]
    if np.abs(p - p @ axes.T @ axes).max() > _TOLERANCE * np.abs(p).max():
        return 0.0
    z, p = z @ axes.T, p @ axes.T
    width = z.std(axis=0)
    z, p = z / width, p / width
    if z.shape[1] == 1:
        return float((z.max() if p[0] > 0 else z.min()) / p[0])
    return _largest_step(p / np.linalg.norm(p), z) / float(np.linalg.norm(p))


def _largest_step(direction: NDArray, z: NDArray) -> float:
    """Largest t with t · direction in the hull of z, whose mean is 0: linear in λ and t."""
    equations = np.vstack([z.T, np.ones(len(z))])
    equations = np.column_stack([equations, [*-direction, 0.0]])
    objective = np.zeros(len(z) + 1)
    objective[-1] = -1
    solution = linprog(
        objective, A_eq=equations, b_eq=[*np.zeros(len(direction)), 1.0], method="highs"
    )
    if solution.status != 0:
        raise ArithmeticError(f"The linear programme of the hull failed: {solution.message}")
    return float(solution.x[-1])


def in_hull(point: ArrayLike, points: ArrayLike) -> bool:
    """Whether a point lies in the convex hull of others, its boundary included.

    Parameters
    ----------
    point : array_like
        ``(K,)``.
    points : array_like
        ``(M, K)``.

    Returns
    -------
    bool

    Examples
    --------
    >>> in_hull([0.5], [[0.0], [1.0]]), in_hull([1.5], [[0.0], [1.0]])
    (True, False)
    """
    return hull_margin(point, points) >= 1 - _TOLERANCE


_VERDICTS: weakref.WeakKeyDictionary[Normalisers, dict] = weakref.WeakKeyDictionary()


def check_hull(
    model: pm.Model | None = None, *, references: Mapping[str, Reference] | None = None
) -> dict[str, HullVerdict]:
    r"""Whether the estimated likelihood of each observed `EBM` can have a maximum.

    With an energy Σ_k c_k(θ) T_k(x) the estimated log-likelihood of N data is

    .. math:: −N \left[ c · \bar T + \log \sum_m \exp(a_m − c · T(y_m)) \right],

    which grows without bound along some direction of c where the mean statistics of the data lie
    outside the convex hull of those of the points that have weight. Coefficients that are the
    same, proportional or constant are put together first, so that the hull is that of the
    directions in which c can move.

    Parameters
    ----------
    model : pm.Model, optional
        The model of the context by default.
    references : dict of Reference, optional
        By variable, in place of the reference that the model has.

    Returns
    -------
    dict of HullVerdict
        By the name of the observed variable. Not applicable are an energy that is not linear in
        statistics of x, q(y|θ), a complete quadrature, parameters of which fewer move than there
        are statistics, rows of parameters that are tied to each other. Data on the edge of a hull
        leave the likelihood bounded and its maximum at infinity: all is well where a prior is
        proper, and `find_MLE` says which way it goes.

    References
    ----------
    C. J. Geyer (2009), "Likelihood inference in exponential families and directions of
    recession", Electron. J. Stat. 3, 259–289, doi:10.1214/08-EJS349.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> data = np.array([-1.0, 2.0, 0.5, -0.5, 1.5, -2.5])
    >>> narrow = ebm.reference.independent(pm.Normal.dist(0, 0.1), random_seed=1)
    >>> with pm.Model():
    ...     b = pm.Flat("b")
    ...     x = ebm.EBM("x", b, energy=lambda x, b: b * x**2, reference=narrow, observed=data)
    ...     verdicts = ebm.diagnostics.check_hull()
    >>> verdicts["x"].verdict
    'outside'
    """
    return hull_verdicts(Normalisers(model, transformed=True), references)


def hull_verdicts(
    normalisers: Normalisers, references: Mapping[str, Reference] | None = None
) -> dict[str, HullVerdict]:
    """`check_hull` of a model whose normalisers have been found; once for its own references."""
    if references is None and normalisers in _VERDICTS:
        return _VERDICTS[normalisers]
    found = {}
    for normaliser in normalisers:
        name, data = normaliser.name, normalisers.data.get(normaliser.name)
        if data is not None and data.whole and name == normaliser.variable:
            reference = (references or {}).get(name, normaliser.reference)
            try:
                found[name] = _verdict(normalisers, normaliser, data.values, reference)
            except (NotApplicable, ArithmeticError) as reason:
                found[name] = HullVerdict("not applicable", np.nan, str(reason))
    if references is None:
        _VERDICTS[normalisers] = found
    return found


def _verdict(
    normalisers: Normalisers,
    normaliser: Normaliser,
    data: NDArray,
    reference: Reference,
    every_point: bool = False,
) -> HullVerdict:
    split = normaliser.nodes[0].op.split
    if reference.whole and not reference.discrete:
        raise NotApplicable("The reference is a complete quadrature, beyond whose nodes Z goes on.")
    if reference.n_rows is not None:
        raise NotApplicable("Each row has points of its own.")
    if reference.follows_parameters:
        raise NotApplicable("The points move with the parameters.")
    if not all(_per_point(slot) for slot in split.slots):
        raise NotApplicable("The energy is not linear in statistics of x.")
    if not split.slots:
        raise NotApplicable("The energy does not depend on x.")
    if split.x.type.shape[0] is not None:
        raise NotApplicable("The energy takes one number of points only, and not the data's.")
    of_data = statistics_of(split, data)
    if of_data.shape[1] > 64:
        raise NotApplicable(f"There are {of_data.shape[1]} statistics, too many for a hull.")
    few = every_point or reference.n_points * of_data.shape[1] <= _MOST_NUMBERS
    of_points, n_points = (all_points if few else extreme_points)(split, reference)
    if n_points == 0 or not np.isfinite(of_data).all():
        raise NotApplicable("The statistics of the data, or of every point, are not finite.")
    if normaliser.nodes[0].outputs[0].type.ndim > 1:
        raise NotApplicable("The parameters have several batch dimensions.")
    row_of_datum = normaliser.row_of_data(len(data))
    coefficients = EnergyCoefficients(normalisers, normaliser, np.vstack([of_data, of_points]))
    if coefficients.n_rows != row_of_datum.max() + 1:
        raise NotApplicable("The rows of parameters are not those of the data.")
    far, near = coefficients.directions(FAR), coefficients.directions(NEAR)
    spans = [moving(far[:, r]) for r in range(coefficients.n_rows)]
    independent = sum(rank for rank, _ in spans)
    free = moving(near.reshape(len(near), -1))[0]
    if independent == 0:
        raise NotApplicable("No parameter moves a statistic.")
    tied = (
        f"{independent} coefficients of statistics move together in {free} directions, and "
        "outside the hull, or on its edge, there may still be a maximum."
    )
    # Rows of parameters that are tied to each other can only be found inside, one by one.
    if free < independent and coefficients.n_rows > 50:
        raise NotApplicable(tied)
    # Projected, equal rows may differ by rounding, and each is a column of the linear programme.
    distinct = np.unique(of_points, axis=0)
    margins = []
    for r, (rank, basis) in enumerate(spans):
        mean = of_data[row_of_datum == r].mean(axis=0)
        margins.append(hull_margin(mean @ basis, distinct @ basis) if rank else np.inf)
    margin = float(min(margins))
    if margin < 1 + _TOLERANCE and not few:
        # The hull of some of the points may end before that of all.
        return _verdict(normalisers, normaliser, data, reference, every_point=True)
    if abs(margin - 1) <= _TOLERANCE:
        if free < independent:
            raise NotApplicable(tied)
        return HullVerdict(
            "edge",
            margin,
            "The mean statistics of the data lie on the edge of the hull of those of "
            f"{n_points:,} points, so that the likelihood is largest at infinity.",
        )
    if margin > 1:
        return HullVerdict(
            "inside",
            margin,
            f"The mean statistics of the data lie in the hull of those of {n_points:,} points.",
        )
    if free < independent:
        raise NotApplicable(tied)
    return HullVerdict(
        "outside",
        margin,
        f"The mean statistics of the data lie outside the hull of those of {n_points:,} points, "
        f"which ends at {number(margin)} of the way to them from its centre.",
    )


def _per_point(slot) -> bool:
    """Whether a statistic is real numbers for each point, of a shape that is known."""
    shape = slot.type.shape
    if not slot.dtype.startswith("float") or not shape or shape[0] is not None:
        return False
    return None not in shape[1:]
