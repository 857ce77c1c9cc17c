"""The weights that data would have as points of the reference."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.distribution.observed_ebm import ObservedEBM, observed_ebms

__all__ = ["data_log_weights"]


def data_log_weights(
    normalisers: Normalisers, point: Mapping[str, ArrayLike]
) -> dict[str, NDArray]:
    r"""Log of the normalised weight that each datum would have as a point of the reference.

    .. math:: a(x_n) − E(x_n \mid θ_n) − \log \hat Z(θ_n), \qquad a(x) = −\log q(x) − \log M

    and :math:`a(x) = −\log \sum_k n_k \exp(−E(x \mid θ_k) − \log \hat Z(θ_k))` for pooled chains.

    Parameters
    ----------
    normalisers : Normalisers
    point : dict
        Parameters on their scale.

    Returns
    -------
    dict of ndarray
        ``(N,)`` in nats, by the name of each observed `EBM` whose reference has a density that is
        known at the data.
    """
    found = {}
    for ebm in observed_ebms(normalisers.valued):
        graphs = [normalisers.factors[ebm.name], *ebm.params]
        logp, *values = normalisers.compile(graphs)(point)
        log_base = _log_base(ebm, values)
        if log_base is not None:
            found[ebm.name] = log_base + np.ravel(logp)
    return found


def _log_base(ebm: ObservedEBM, values: Sequence[NDArray]) -> NDArray | None:
    """a(x) of data, ``(N,)``; None where the law behind the points is not known."""
    data, energy = ebm.events(), ebm.energy
    energies = energy.of_points(data.shape[1:], data.dtype, ebm.params, len(data))
    if not ebm.reference.follows_parameters:
        # Only the shapes of one row matter: the anchors have values of their own.
        values = [
            np.reshape(v, (-1, *shape))[0]
            for v, shape in zip(values, energy.core_shapes(values), strict=True)
        ]
    return ebm.reference.log_base(data, values, energies.at(data))
