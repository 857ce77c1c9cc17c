"""The weights that data would have as points of the reference."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.distribution.ebm import EnergyRV
from pymc_ebm.energy.parameters import without_unit_batch
from pymc_ebm.energy.split import evaluate

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
    umodel, found = normalisers.valued, {}
    for rv in umodel.observed_RVs:
        if not isinstance(rv.owner.op, EnergyRV):
            continue
        spec, cores = rv.owner.op.spec, rv.owner.op.ndims_params
        params = without_unit_batch(rv.owner.op.dist_params(rv.owner), cores)
        data = evaluate([umodel.rvs_to_values[rv]])[0].reshape(-1, *spec.reference.event_shape)
        graphs = [normalisers.factors[rv.name], *umodel.replace_rvs_by_values(params)]
        values = normalisers.compile(graphs)(point)
        log_base = _log_base(spec, data, params, values[1:])
        if log_base is not None:
            found[rv.name] = log_base + np.ravel(values[0])
    return found


def _log_base(spec, data: NDArray, params, values: Sequence[NDArray]) -> NDArray | None:
    """a(x) of data, ``(N,)``; None where the law behind the points is not known."""
    energies = spec.energy.of_points(data.shape[1:], data.dtype, params, len(data))
    if not spec.reference.moves:
        # Only the shapes of one row matter: the anchors have values of their own.
        values = [
            np.reshape(v, (-1, *shape))[0]
            for v, shape in zip(values, spec.energy.core_shapes(values), strict=True)
        ]
    return spec.reference.log_base(data, values, energies.at(data))
