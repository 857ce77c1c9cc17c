"""The Conway–Maxwell–Poisson distribution of counts."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

__all__ = ["conway_maxwell_poisson"]


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
