"""Exponential polynomials: densities whose logarithm is a polynomial."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

__all__ = ["polynomial"]


def polynomial(x, *coefficients) -> TensorVariable:
    r"""Energy that is a polynomial of a real number; it has as many wells as its degree allows.

    .. math:: E(x \mid c) = \sum_{k=1}^K c_k x^k

    Z is finite if K is even and c_K > 0, or on a bounded support. At K = 2 it is Gaussian,
    log Z = ½ log(π / c₂) + c₁² / (4 c₂). For c₂x² + c₄x⁴, both positive,
    Z = ½ √(c₂/c₄) exp(u) K_{1/4}(u) with u = c₂² / (8 c₄) and the modified Bessel function K;
    for x⁴ alone Z = 2 Γ(5/4).

    Parameters
    ----------
    x : TensorVariable
        ``(*batch,)``.
    *coefficients : scalars
        c_1, …, c_K, in nats over the k-th power of the unit of x.

    Returns
    -------
    TensorVariable
        E, ``(*batch,)``, in nats.

    Raises
    ------
    ValueError
        No coefficients.

    References
    ----------
    Cobb, Koppstein and Chen (1983), Journal of the American Statistical Association 78, 124–130.

    Examples
    --------
    Two wells, at −1 and 1:

    >>> import pymc_ebm as ebm
    >>> line = ebm.reference.quadrature(-6, 6)
    >>> ebm.log_partition(polynomial, 0, -2, 0, 1, reference=line).eval().round(6).item()
    1.679926
    """
    if not coefficients:
        raise ValueError(
            "The polynomial has 0 coefficients. Give c_1, ..., c_K, those of x to x**K."
        )
    x = pt.as_tensor(x)
    energy = coefficients[0] * x
    for power, coefficient in enumerate(coefficients[1:], start=2):
        energy = energy + coefficient * x**power
    return energy
