"""Bridge sampling of several chains at once: the multistate Bennett acceptance ratio (MBAR)."""

from __future__ import annotations

import numpy as np

from pymc_ebm.weights.normalised import normalise

_MOST_STEPS = 200
# Where a point of one anchor is less likely than this to belong to others, they are apart.
LEAST_OVERLAP = 0.03


def solve(
    energies: np.ndarray,
    counts: np.ndarray,
    given: np.ndarray,
    first: np.ndarray | None = None,
) -> np.ndarray:
    r"""Log Z of every anchor, by Newton's method on the convex dual.

    .. math:: F(f) = \sum_m \log \sum_k n_k e^{-E_{mk} - f_k} + \sum_k n_k f_k

    Parameters
    ----------
    energies : ndarray
        E(y_m | θ_k), ``(M, K)``.
    counts : ndarray of int
        Points of each anchor, ``(K,)``, in the order of the points.
    given : ndarray
        log Z of the anchors of which it is known, ``(K,)``, at least one, and NaN of the others.
    first : ndarray, optional
        Where to begin; by default thermodynamic integration from each anchor to the next.

    Returns
    -------
    ndarray
        f, ``(K,)``, in nats.

    Raises
    ------
    ValueError
        Where the anchors do not overlap, so that no f is found.

    References
    ----------
    M. R. Shirts, J. D. Chodera (2008), J. Chem. Phys. 129, 124105; X.-L. Meng, W. H. Wong (1996),
    Statistica Sinica 6, 831–860.
    """
    n_anchors = len(counts)
    f = _trapezoid(energies, counts) if first is None else first
    free = np.isnan(given)
    known = int(np.argmin(free))
    f = np.where(free, f - f[known] + given[known], given)
    # Where energies are large, F is a small difference of large sums unless they begin at 0.
    least = energies.min(axis=0)
    energies, f, given = energies - least, f + least, given + least
    value_now, p = _dual(f, energies, counts)
    for _ in range(_MOST_STEPS):
        # Where an anchor has less than this share of the points that it should have, f is far off.
        if (p.sum(axis=0) < 1e-3 * counts).any():
            # No curvature tells how far f_k is off, but the definition of Z(θ_k) does.
            own, _ = normalise(-energies.T - log_mixture(f, energies, counts))
            f = np.where(free, own - own[known] + given[known], given)
            value_now, p = _dual(f, energies, counts)
            continue
        gradient = counts - p.sum(axis=0)
        hessian = np.diag(p.sum(axis=0)) - p.T @ p
        step = np.zeros(n_anchors)
        step[free] = np.linalg.lstsq(hessian[np.ix_(free, free)], gradient[free], rcond=None)[0]
        rate = 1.0
        while True:
            slope = gradient @ step
            if abs(slope) < 1e-14 * counts.sum() or rate < 1e-10:
                return f - least
            new_value, new_p = _dual(f - rate * step, energies, counts)
            if new_value <= value_now - 1e-4 * rate * slope + 1e-13 * abs(value_now):
                break
            rate /= 2
        f, value_now, p = f - rate * step, new_value, new_p
    raise ValueError(
        f"The log Z of {n_anchors} anchors were not found in {_MOST_STEPS} steps. Neighbouring "
        "anchors do not overlap: place them closer."
    )


def probabilities(f: np.ndarray, energies: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """p_mk = n_k exp(−E_mk − f_k) / Σ_l n_l exp(−E_ml − f_l), ``(M, K)``."""
    return _dual(f, energies, counts)[1]


def log_mixture(f: np.ndarray, energies: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Log Σ_k n_k exp(−E_mk − f_k), ``(M,)``: minus the log weights of the pooled points."""
    return normalise(np.log(counts) - energies - f)[0]


def response(p: np.ndarray, counts: np.ndarray, given: np.ndarray) -> np.ndarray:
    r"""How the f_k, and the n_k, follow the points: `Pool.response`.

    With O = pᵀp, N = diag(n) and C the membership of the points, the derivative of f by the log
    weight of the points is (N − O)⁻¹(pᵀ − O N⁻¹ Cᵀ) with the given f fixed, and the
    mixture log Σ_k n_k exp(−E_mk − f_k) follows both f_k and n_k.
    """
    n_anchors = len(counts)
    membership = np.repeat(np.eye(n_anchors), counts, axis=0)
    overlap = p.T @ p
    right = p.T - overlap / counts @ membership.T
    free = np.isnan(given)
    of_f = np.zeros((n_anchors, len(p)))
    left = (np.diag(counts) - overlap)[np.ix_(free, free)]
    of_f[free] = np.linalg.lstsq(left, right[free], rcond=None)[0]
    return of_f.T - membership / counts


def untied(overlap: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Anchors that overlaps do not tie to those whose log Z is given, indices.

    Groups of anchors join where the smaller one's points belong to the other often enough, on
    average: with many parameters an anchor has many neighbours and shares little with each.
    """
    shared = np.maximum(overlap, overlap.T)
    known = ~np.isnan(given)
    # By anchor and group, those whose log Z is given being the first.
    members = np.column_stack([known, np.eye(len(given), dtype=bool)[:, ~known]]).astype(float)
    while members.shape[1] > 1:
        sizes = members.sum(axis=0)
        between = members.T @ shared @ members / np.minimum.outer(sizes, sizes)
        np.fill_diagonal(between, 0)
        i, j = sorted(np.unravel_index(between.argmax(), between.shape))
        if between[i, j] < LEAST_OVERLAP:
            break
        members[:, i] += members[:, j]
        members = np.delete(members, j, axis=1)
    return np.flatnonzero(members[:, 0] == 0)


def _dual(f, energies, counts):
    mixture, p = normalise(np.log(counts) - energies - f)
    return mixture.sum() + counts @ f, p


def _trapezoid(energies, counts):
    """First guess: thermodynamic integration from each anchor to the next."""
    ends = np.cumsum(counts)
    mean = np.array([e.mean(axis=0) for e in np.split(energies, ends[:-1])])
    steps = [
        -(mean[k, k + 1] - mean[k, k] + mean[k + 1, k + 1] - mean[k + 1, k]) / 2
        for k in range(len(counts) - 1)
    ]
    return np.concatenate([[0.0], np.cumsum(steps)])
