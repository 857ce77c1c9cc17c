"""The normalisers of a model at chosen values of its parameters."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from pymc_ebm.diagnostics.normalisers._amplification import amplification_graphs
from pymc_ebm.diagnostics.normalisers.find import normaliser_graphs
from pymc_ebm.diagnostics.reference_stats import on_own_scale
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.groups import group_variance
from pymc_ebm.weights.normalised import normalise

__all__ = ["NormaliserValues", "NormalisersAt"]


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
