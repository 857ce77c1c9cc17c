"""The Conway–Maxwell–Poisson distribution of counts, by its rate and by its mean."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedGrad, disconnected_grad
from pytensor.graph.replace import _vectorize_node
from pytensor.tensor.variable import TensorVariable
from scipy.special import gammaln

__all__ = ["conway_maxwell_poisson", "conway_maxwell_poisson_mean"]


def conway_maxwell_poisson(k, log_rate, nu) -> TensorVariable:
    r"""Energy of a count k = 0, 1, …, more or less dispersed than a Poisson count.

    .. math:: E(k \mid \log λ, ν) = −k \log λ + ν \log k!

    log Z is λ at ν = 1 (Poisson), −log(1 − λ) at ν = 0 and λ < 1 (geometric), log I₀(2√λ) at ν = 2,
    and nears log(1 + λ) as ν grows (Bernoulli). ν < 1 means more variance than mean.

    Parameters
    ----------
    k : TensorVariable
        Counts, ``(*batch,)``.
    log_rate : scalar
        log λ, in nats for each count.
    nu : scalar
        ν ≥ 0; at ν = 0 the sum converges for λ < 1 only.

    Returns
    -------
    TensorVariable
        E, ``(*batch,)``, in nats.

    References
    ----------
    Shmueli, Minka, Kadane, Borle and Boatwright (2005), doi:10.1111/j.1467-9876.2005.00474.x.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_ebm as ebm
    >>> counts = ebm.reference.enumeration(range(200))
    >>> log_z = ebm.log_partition(conway_maxwell_poisson, np.log(1.5), 1.2, reference=counts)
    >>> log_z.eval().round(6).item()
    1.389641
    """
    # The log-gamma function of a small integer type would be in single precision.
    k = pt.as_tensor(k).astype("float64")
    return -log_rate * k + nu * pt.gammaln(k + 1)


def conway_maxwell_poisson_mean(k, mu, nu, *, largest: int = 200) -> TensorVariable:
    r"""Energy of a Conway–Maxwell–Poisson count by its mean, as regressions of counts need it.

    .. math:: E(k \mid μ, ν) = −k \log λ(μ, ν) + ν \log k!
        \quad\text{with}\quad \sum_k (k − μ) \frac{λ^k}{(k!)^ν} = 0

    μ is the mean whatever ν is, so that coefficients of a regression of log μ are read as those of
    a Poisson regression: one more of a covariate multiplies the mean by their exponential. log λ is
    solved for inside; its derivatives are exact, up to the second.

    Parameters
    ----------
    k : TensorVariable
        Counts, ``(*batch,)``.
    mu : scalar
        μ > 0, in counts.
    nu : scalar
        ν ≥ 0: more variance than mean below 1 (geometric at 0), Poisson at 1, less above.
    largest : int
        The mean is a sum over 0, 1, …, `largest`. E is NaN where `largest` still has a weight above
        10⁻¹⁰ (or the mean cannot be had): raise it then.

    Returns
    -------
    TensorVariable
        E, ``(*batch,)``, in nats.

    References
    ----------
    Huang (2017), doi:10.1177/1471082X17697749. ``family = compois`` of the R package glmmTMB has
    the same mean, and 1/ν as its dispersion.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_ebm as ebm
    >>> counts = ebm.reference.enumeration(range(200))
    >>> log_z = ebm.log_partition(conway_maxwell_poisson_mean, 3.0, 1.0, reference=counts)
    >>> log_z.eval().round(6).item()  # Poisson
    3.0
    """
    mu, nu = (pt.as_tensor(p).astype("float64") for p in (mu, nu))
    return conway_maxwell_poisson(k, _log_rate_of_mean(mu, nu, largest), nu)


def _log_rate_of_mean(mu, nu, largest):
    """Log λ(μ, ν), of the shape of μ and ν."""
    # Newton's steps are held: derivatives need the last one only.
    start = disconnected_grad(_newton(mu, nu, largest))
    mean, variance, third, end = _moments(start, nu, largest)
    # The inverse of the mean as a function of log λ, to second order about `start`. By the
    # implicit function theorem it has the first two derivatives of the solution.
    excess = mu - mean
    solution = start + excess / variance - third / (2 * variance**3) * excess**2
    return pt.switch((pt.abs(excess) < 1e-3 * mu) & (end < 1e-10), solution, np.nan)


def _newton(mu, nu, largest):
    """Log λ to about 10⁻⁷ of the mean; six steps are enough for ν up to 60."""
    # λ = E[k^ν] and μ = λ E[(k + 1)^(1 − ν)], so by Jensen's inequality log λ is between these.
    # Half way is right to the order of 1/μ.
    one, other = nu * pt.log(mu), pt.log(mu) + (nu - 1) * pt.log1p(mu)
    low, high = pt.minimum(one, other), pt.maximum(one, other)
    log_rate = (low + high) / 2
    for _ in range(6):
        mean, variance, *_ = _moments(log_rate, nu, largest)
        short = mean < mu
        low = pt.switch(short, pt.maximum(low, log_rate), low)
        high = pt.switch(short, high, pt.minimum(high, log_rate))
        # In log μ, which is log λ itself for a Poisson count and for a small mean.
        step = log_rate + pt.log(mu / mean) * mean / variance
        rounding = 1e-9
        inside = (step > low - rounding) & (step < high + rounding)
        log_rate = pt.switch(inside, step, (low + high) / 2)
    return log_rate


def _moments(log_rate, nu, largest):
    """Mean, variance and third central moment, and the weight of the largest count."""
    k = np.arange(largest + 1.0)
    log_weights = log_rate[..., None] * k - nu[..., None] * gammaln(k + 1)
    weights = pt.special.softmax(log_weights, axis=-1)
    mean = (weights * k).sum(axis=-1)
    from_mean = k - mean[..., None]
    variance = (weights * from_mean**2).sum(axis=-1)
    return mean, variance, (weights * from_mean**3).sum(axis=-1), weights[..., -1]


@_vectorize_node.register(DisconnectedGrad)
def _held_of_rows(op, node, rows):
    """Held values of many rows are held: PyTensor would hold them one by one."""
    return op.make_node(rows)
