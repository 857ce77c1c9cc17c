"""The restricted Boltzmann machine."""

from __future__ import annotations

import numba
import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.local_change import with_local_change

__all__ = ["restricted_boltzmann"]


@numba.njit(cache=True)
def _unit_change(v, site, value, weights, visible_bias, hidden_bias):
    step = 1.0 * value - 1.0 * v[site]
    change = -step * visible_bias[site]
    for j in range(len(hidden_bias)):
        before = hidden_bias[j]
        for i in range(len(v)):
            before += v[i] * weights[i, j]
        after = before + step * weights[site, j]
        change += np.logaddexp(0.0, before) - np.logaddexp(0.0, after)
    return change


@with_local_change(_unit_change)
def restricted_boltzmann(v, weights, visible_bias, hidden_bias) -> TensorVariable:
    r"""Energy of visible units 0 and 1, the hidden units 0 and 1 summed out.

    .. math:: E(v \mid W, a, b) = −a^⊤ v − \sum_j \log\bigl(1 + \exp(b_j + (v^⊤ W)_j)\bigr)

    which is −log Σ_h exp(aᵀv + bᵀh + vᵀWh). Use it with ``signature="(d,h),(d),(h)"``. Z is the
    same sum with the roles of the units exchanged, so that either kind may be enumerated; at W = 0,
    log Z = Σ_i log(1 + exp a_i) + Σ_j log(1 + exp b_j).

    Parameters
    ----------
    v : TensorVariable
        Visible units, ``(*batch, D)``.
    weights : ``(D, H)``
        W, in nats for each pair of a visible and a hidden unit that are both 1.
    visible_bias : ``(D,)``
        a, in nats.
    hidden_bias : ``(H,)``
        b, in nats.

    Returns
    -------
    TensorVariable
        E, ``(*batch,)``, in nats.

    References
    ----------
    Hinton (2002), doi:10.1162/089976602760128018.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_ebm as ebm
    >>> units = ebm.reference.enumeration([0, 1], shape=3, complete=True)
    >>> log_z = ebm.log_partition(
    ...     restricted_boltzmann,
    ...     np.zeros((3, 2)),
    ...     np.zeros(3),
    ...     np.zeros(2),
    ...     reference=units,
    ...     signature="(d,h),(d),(h)",
    ... )
    >>> log_z.eval().round(4).item()  # 5 log 2
    3.4657
    """
    v = pt.as_tensor(v)
    inputs = hidden_bias + pt.dot(v, weights)
    return -pt.dot(v, visible_bias) - pt.softplus(inputs).sum(-1)
