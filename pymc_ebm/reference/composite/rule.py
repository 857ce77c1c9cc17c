"""Gauss–Kronrod rules: a Gauss rule, and the nodes that make it one of twice the degree."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray


class Rule(NamedTuple):
    """Nodes in [−1, 1]^D, and two sets of weights that sum to 1."""

    nodes: NDArray  # (M, D)
    weights: NDArray  # (M,)
    coarse: NDArray  # (M,), zero at the nodes of the Kronrod rule alone


@cache
def gauss_kronrod(order: int, n_dim: int = 1) -> Rule:
    """The product of Kronrod's rules that extend the Gauss rule of `order` nodes.

    The new nodes are the zeros of Stieltjes' polynomial E of degree n + 1, which is orthogonal to
    x^k P_n(x) for all k ≤ n [1]_; with them the rule is exact for polynomials of degree 3n + 1.

    Parameters
    ----------
    order : int
        Nodes of the Gauss rule, n; the whole rule has 2n + 1.
    n_dim : int
        D, which takes (2n + 1)^D nodes.

    References
    ----------
    .. [1] D. Calvetti et al. (2000), "Computation of Gauss-Kronrod quadrature rules".

    Examples
    --------
    >>> rule = gauss_kronrod(7)
    >>> print(f"{rule.weights @ rule.nodes[:, 0] ** 22:.15f}", 1 / 23)
    0.043478260869565 0.043478260869565216
    """
    gauss, gauss_weights = legendre.leggauss(order)
    exact, exact_weights = legendre.leggauss(3 * order)
    degrees = legendre.legvander(exact, order + 1)
    moments = degrees[:, : order + 1].T @ (
        (exact_weights * degrees[:, order])[:, None] * degrees
    )  # ∫ P_k P_n P_j, (n + 1, n + 2)
    below = np.linalg.lstsq(moments[:, :-1], -moments[:, -1], rcond=None)[0]
    nodes = np.sort(np.concatenate([gauss, legendre.legroots([*below, 1.0]).real]))
    integrals = np.zeros(2 * order + 1)
    integrals[0] = 1.0  # of P_0 / 2, and none of the others
    weights = np.linalg.solve(legendre.legvander(nodes, 2 * order).T, integrals)
    coarse = np.zeros(2 * order + 1)
    coarse[1::2] = gauss_weights / 2  # they interlace
    axes = lambda values: np.array(list(product(values, repeat=n_dim)))
    return Rule(axes(nodes), axes(weights).prod(axis=1), axes(coarse).prod(axis=1))
