"""The Conway–Maxwell–Poisson distribution of counts, by its rate and by its mean."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.count_rates import log_rate_of_mean

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
    solved for inside; its derivatives are exact.

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
    return conway_maxwell_poisson(k, log_rate_of_mean(mu, nu, largest), nu)
