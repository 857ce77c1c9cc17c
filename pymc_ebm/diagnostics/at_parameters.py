"""The normalisers of a model, and the weights of its data, at chosen values of its parameters."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from pymc_ebm.diagnostics.amplification import amplification_graphs
from pymc_ebm.diagnostics.normalisers import normaliser_graphs
from pymc_ebm.diagnostics.reference_stats import on_own_scale
from pymc_ebm.diagnostics.weights import group_variance, normalise
from pymc_ebm.distribution import EnergyRV
from pymc_ebm.energy import evaluate
from pymc_ebm.parameters import without_unit_batch
from pymc_ebm.reference import mbar
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.point_energies import PointEnergies

__all__ = ["NormaliserValues", "NormalisersAt", "data_log_weights"]

# Points at which log q is compared with the base weights, to see whether it made them.
_POINTS_TO_COMPARE = 200


class NormaliserValues(NamedTuple):
    """One normaliser at one value of the parameters, R batch rows.

    Attributes
    ----------
    log_weights : ndarray
        a_m − E(y_m | θ) in nats, ``(R, M)``.
    amplification : ndarray
        c, ``(R,)``.
    reference : Reference
    """

    log_weights: NDArray
    amplification: NDArray
    reference: Reference

    def log_partition(self) -> tuple[float, float]:
        """Log Ẑ, the c-weighted mean over rows, and its Monte Carlo standard error, in nats."""
        log_z, weights = normalise(self.log_weights)
        c, total = self.amplification, self.amplification.sum()
        shares = c / total if total != 0 else np.full(c.size, 1 / c.size)
        used = shares != 0  # 0 × −inf is NaN
        reference, value = self.reference, float(shares[used] @ log_z[used])
        if reference.exact:
            return value, 0.0
        influence = reference.influence(shares @ weights)
        variance = group_variance(influence, reference.groups, reference.unused_draws)
        return value, float(np.sqrt(variance))

    def influence(self) -> NDArray:
        """Influence of the points on the log-likelihood, but for its sign, ``(M,)``."""
        _, weights = normalise(self.log_weights)
        return self.reference.influence(self.amplification @ weights)


class NormalisersAt:
    """The normalisers of a model as a function of its parameters, compiled once.

    Parameters
    ----------
    model : pm.Model, optional
        The model of the context by default.
    ebm : sequence of str, optional
        Names of normalisers to keep, as in ``reference_stats``. All by default.

    Attributes
    ----------
    parameters : tuple of str
        The free parameters of the model.
    references : dict of Reference
        By the name of the normaliser.

    Raises
    ------
    ValueError
        If there are no such normalisers.
    """

    def __init__(self, model: pm.Model | None = None, ebm: Sequence[str] | None = None):
        umodel = on_own_scale(pm.modelcontext(model))
        factors, normalisers = normaliser_graphs(umodel, None)
        known = [n.name for n in normalisers]
        normalisers = [n for n in normalisers if ebm is None or n.name in ebm]
        if not normalisers or (ebm is not None and set(ebm) - set(known)):
            raise ValueError(
                f"The model has the estimated normalisers {known}, and {ebm or 'one'} is asked "
                "for. Pass the model that was sampled, and names of its normalisers."
            )
        self.references = {n.name: n.nodes[0].op.reference for n in normalisers}
        self._types = {umodel.rvs_to_values[rv].name: rv.dtype for rv in umodel.free_RVs}
        self.parameters = tuple(self._types)
        self._function = umodel.compile_fn(
            inputs=umodel.value_vars,
            outs=[
                *[n.log_weights() for n in normalisers],
                *amplification_graphs(factors, normalisers),
            ],
            on_unused_input="ignore",
        )

    def __call__(self, point: Mapping[str, ArrayLike]) -> dict[str, NormaliserValues]:
        """Values by the name of the normaliser, at parameters on their own scale."""
        outputs = self._function(
            {name: np.asarray(point[name], dtype=dtype) for name, dtype in self._types.items()}
        )
        return {
            name: NormaliserValues(
                np.asarray(outputs[i]).reshape(-1, reference.n_points),
                np.asarray(outputs[len(self.references) + i], dtype=float).reshape(-1),
                reference,
            )
            for i, (name, reference) in enumerate(self.references.items())
        }

    def point(
        self, idata: xr.DataTree | None, given: Mapping[str, ArrayLike] | None = None
    ) -> dict[str, NDArray]:
        """Given values of parameters, and posterior means of those that are not given.

        Raises
        ------
        ValueError
            If a parameter is neither given nor in the posterior; if a name is no parameter.
        """
        given = dict(given or {})
        unknown = [name for name in given if name not in self._types]
        if unknown:
            raise ValueError(
                f"The model has no parameter {', '.join(unknown)}. Its parameters are "
                f"{', '.join(self.parameters)}."
            )
        posterior = xr.Dataset()
        if idata is not None and "posterior" in idata.children:
            posterior = idata["posterior"].to_dataset()
        missing = [n for n in self.parameters if n not in given and n not in posterior]
        if missing:
            raise ValueError(
                f"There are no values of {', '.join(missing)}. Pass what pm.sample returned for "
                "this model, or give the values with point=."
            )
        means = {n: posterior[n].mean(("chain", "draw")) for n in self.parameters if n not in given}
        return {n: np.asarray(given.get(n, means.get(n))) for n in self.parameters}


def data_log_weights(
    point: Mapping[str, ArrayLike], model: pm.Model | None = None
) -> dict[str, NDArray]:
    r"""Log of the normalised weight that each datum would have as a point of the reference.

    .. math:: a(x_n) − E(x_n \mid θ_n) − \log \hat Z(θ_n), \qquad a(x) = −\log q(x) − \log M

    and :math:`a(x) = −\log \sum_k n_k \exp(−E(x \mid θ_k) − \log \hat Z(θ_k))` for pooled chains.

    Parameters
    ----------
    point : dict
        Parameters on their own scale.
    model : pm.Model, optional
        The model of the context by default.

    Returns
    -------
    dict of ndarray
        ``(N,)`` in nats, by the name of each observed `EBM` whose reference has a density that is
        known at the data.
    """
    model = pm.modelcontext(model)
    umodel = on_own_scale(model)
    found = {}
    for rv in umodel.observed_RVs:
        if not isinstance(rv.owner.op, EnergyRV):
            continue
        spec, cores = rv.owner.op.spec, rv.owner.op.ndims_params
        params = without_unit_batch(rv.owner.op.dist_params(rv.owner), cores)
        data = evaluate([umodel.rvs_to_values[rv]])[0].reshape(-1, *spec.reference.event_shape)
        values = umodel.compile_fn(
            inputs=umodel.value_vars,
            outs=[umodel.logp(vars=[rv], sum=False)[0], *umodel.replace_rvs_by_values(params)],
            on_unused_input="ignore",
        )({v.name: np.asarray(point[v.name], dtype=v.dtype) for v in umodel.value_vars})
        log_base = _log_base(spec, data, values[1:], cores)
        if log_base is not None:
            found[rv.name] = log_base + np.ravel(values[0])
    return found


def _log_base(spec, data: NDArray, params, cores: Sequence[int]) -> NDArray | None:
    """a(x) of data, ``(N,)``; None where the law behind the points is not known."""
    reference = spec.reference
    if reference.pool is not None:
        pool = reference.pool
        shapes = [np.shape(p)[np.ndim(p) - n :] for p, n in zip(params, cores, strict=True)]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        anchors = [
            [part.reshape(s) for part, s in zip(np.split(row, ends), shapes, strict=True)]
            for row in pool.anchors
        ]
        energies = PointEnergies(
            spec.energy, data.shape[1:], data.dtype, anchors[0], spec.signature, len(data)
        )
        statistics = energies.statistics(data)
        at_anchors = np.stack([energies(statistics, theta) for theta in anchors], axis=1)
        counts = pool.probabilities.sum(axis=0)
        return -mbar.log_mixture(pool.log_partitions, at_anchors, counts)
    if reference.proposal is None:
        return None
    if reference.transport is not None:
        log_q = reference.proposal.log_density(data, *params)
        return -log_q - np.log(reference.n_points)
    some = np.linspace(0, reference.n_points - 1, _POINTS_TO_COMPARE).astype(int)
    own = reference.log_weights[some] + reference.proposal.log_density(reference.points[some])
    # log M, or that of all draws where a support has dropped some; anything else is another law.
    if not np.ptp(own) < 1e-6:
        return None
    return own[0] - reference.proposal.log_density(data)
