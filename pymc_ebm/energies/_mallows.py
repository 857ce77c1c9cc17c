"""Mallows's model of rankings, by six distances."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

__all__ = ["mallows"]


def mallows(distance: str = "kendall", consensus=None) -> Callable[..., TensorVariable]:
    r"""Make the energy of Mallows's model: rankings are less likely the farther from a consensus.

    .. math:: E(x \mid α, ρ) = α \, d(x, ρ)

    x and ρ hold the rank of each of n items. Z is a sum over all n! rankings and does not depend on
    ρ. With Kendall's distance it is
    :math:`\prod_{i=1}^n (1 − e^{−iα}) / (1 − e^{−α})`, with Cayley's
    :math:`\prod_{i=1}^{n−1} (1 + i e^{−α})`, and with Hamming's
    :math:`n! \, e^{−nα} \sum_{k=0}^n (e^α − 1)^k / k!`.

    Parameters
    ----------
    distance : str
        ``"kendall"``, pairs of items in another order; ``"footrule"``, Σ \|x_i − ρ_i\|;
        ``"spearman"``, Σ (x_i − ρ_i)²; ``"hamming"``, items of another rank; ``"cayley"``, the
        fewest swaps, and ``"ulam"``, the fewest moves of one item to another place, from x to ρ.
    consensus : array_like of int, shape (n,), optional
        ρ where it is known. By default the energy takes it as its second parameter.

    Returns
    -------
    callable
        ``energy(x, alpha)``, or ``energy(x, alpha, consensus)`` with ``signature="(),(n)"``; in
        nats, α in nats for each unit of d. Where others write (α/n) d, as BayesMallows does, their
        α is n times this one.

    Raises
    ------
    ValueError
        An unknown distance; a consensus that is no ranking; rankings of a number of items that is
        not known beforehand.

    References
    ----------
    C. L. Mallows (1957), Biometrika 44, 114–130. P. Diaconis (1988), Group Representations in
    Probability and Statistics. V. Vitelli et al. (2018), JMLR 18(158).

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_ebm as ebm
    >>> orders = ebm.space.permutations(5).all_states()
    >>> q = ebm.reference.enumeration(orders, complete=True)
    >>> energy = mallows(consensus=[3, 1, 2, 5, 4])
    >>> log_z = ebm.log_partition(energy, 0.5, reference=q).eval()
    >>> i = np.arange(1, 6)
    >>> truth = np.log((1 - np.exp(-i / 2)) / (1 - np.exp(-1 / 2))).sum()
    >>> bool(abs(log_z - truth) < 1e-12)
    True
    """
    if distance not in _DISTANCES:
        raise ValueError(
            f"The distance {distance!r} is unknown. Use one of {', '.join(map(repr, _DISTANCES))}."
        )
    between = _DISTANCES[distance]
    if consensus is None:
        return lambda x, alpha, consensus: alpha * between(*_rankings(x, consensus))
    known = np.asarray(consensus)
    if known.ndim != 1 or not np.array_equal(np.sort(known), known.min() + np.arange(len(known))):
        raise ValueError(f"The consensus is {known.tolist()}. Give the rank of each item once.")
    return lambda x, alpha: alpha * between(*_rankings(x, known))


def _rankings(x, rho):
    """X and ρ with ranks from 0 on, and the number of items."""
    x, rho = pt.as_tensor(x), pt.as_tensor(rho)
    lengths = {v.type.shape[-1] for v in (x, rho)} - {None}
    if len(lengths) != 1:
        raise ValueError(
            f"The numbers of items are {sorted(lengths)} in rankings and consensus. Give both of "
            "one length, which is known."
        )
    return _from_zero(x), _from_zero(rho), lengths.pop()


def _kendall(x, rho, n):
    i, j = np.triu_indices(n, 1)
    agree = (x[..., i] - x[..., j]) * (rho[..., i] - rho[..., j])
    return pt.lt(agree, 0).sum(axis=-1)


def _footrule(x, rho, n):
    return pt.abs(x - rho).sum(axis=-1)


def _spearman(x, rho, n):
    return ((x - rho) ** 2).sum(axis=-1)


def _hamming(x, rho, n):
    return pt.neq(x, rho).sum(axis=-1)


def _cayley(x, rho, n):
    """N less the cycles of x ∘ ρ⁻¹, whose smallest members are their own smallest."""
    following = _in_order(x, rho)
    smallest = pt.arange(n) + pt.zeros_like(following)
    for _ in range(math.ceil(math.log2(n))):  # twice as far along the cycle each time
        smallest = pt.minimum(smallest, pt.take_along_axis(smallest, following, axis=-1))
        following = pt.take_along_axis(following, following, axis=-1)
    return n - pt.eq(smallest, pt.arange(n)).sum(axis=-1)


def _ulam(x, rho, n):
    """N less the longest subsequence of x, in the order of ρ, that increases."""
    ranks = _in_order(x, rho)
    longest = [pt.ones_like(ranks[..., 0])]
    for k in range(1, n):
        below = pt.lt(ranks[..., :k], ranks[..., k : k + 1])
        longest.append(1 + (below * pt.stack(longest, axis=-1)).max(axis=-1))
    return n - pt.stack(longest, axis=-1).max(axis=-1)


def _in_order(x, rho):
    """X from 0 on, of the items from the first to the last of ρ."""
    order = pt.argsort(rho, axis=-1) + pt.zeros_like(x, dtype="int64")
    return pt.take_along_axis(_from_zero(x), order, axis=-1)


def _from_zero(x):
    return pt.cast(x - x.min(axis=-1, keepdims=True), "int64")


_DISTANCES: dict[str, Callable] = {
    "kendall": _kendall,
    "footrule": _footrule,
    "spearman": _spearman,
    "hamming": _hamming,
    "cayley": _cayley,
    "ulam": _ulam,
}
