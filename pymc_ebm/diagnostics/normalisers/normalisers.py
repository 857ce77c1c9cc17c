"""`Normalisers`: the estimated normalisers of a model, found once for all that is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from pytensor.graph.basic import Variable

from pymc_ebm.diagnostics.normalisers.amplification_graphs import amplification_graphs
from pymc_ebm.diagnostics.normalisers.find import Normaliser, normalisers_in
from pymc_ebm.diagnostics.normalisers.normaliser_values import NormaliserValues
from pymc_ebm.diagnostics.normalisers.observed_data import Data, data_of_normalisers
from pymc_ebm.diagnostics.normalisers.own_scale import (
    in_values_of,
    on_own_scale,
    own_scale_graphs,
)
from pymc_ebm.diagnostics.normalisers.posterior import free_posterior
from pymc_ebm.given import model_given
from pymc_ebm.reference.base import Reference

__all__ = ["Normalisers"]


class Normalisers(Sequence[Normaliser]):
    """The estimated normalisers of a model, as functions of its parameters.

    The model's log-probability is built here, once; everything that is asked of its normalisers
    takes graphs, data and compiled functions from here.

    Parameters
    ----------
    model : pm.Model, optional
        The model of the context by default.
    var_names : str or sequence of str, optional
        Keep the normalisers of these variables and potentials only.
    transformed : bool, default False
        Whether graphs are of the model's own value variables, ``sigma_log__``; by default they are
        of the parameters as a posterior holds them, ``sigma``.

    Attributes
    ----------
    model : pm.Model
        As it was given.
    valued : pm.Model
        Whose value variables the graphs are of: `model`, or a copy of it on its own scale.
    factors : dict of Variable
        The log-probability of each variable and potential by its name, without Jacobians.
    left_out : tuple of str
        Names of normalisers that were not asked for.
    """

    def __init__(
        self,
        model: pm.Model | None = None,
        var_names: str | Sequence[str] | None = None,
        *,
        transformed: bool = False,
    ):
        self.model = model_given(model)
        self.valued = self.model if transformed else on_own_scale(self.model)
        owners = [*self.valued.free_RVs, *self.valued.observed_RVs, *self.valued.potentials]
        # One call for all: nodes shared by two factors then stay one node.
        factors = self.valued.logp(vars=owners, sum=False, jacobian=False)
        self.factors: dict[str, Variable] = {
            owner.name: factor for owner, factor in zip(owners, factors, strict=True)
        }
        self._var_names = [var_names] if isinstance(var_names, str) else var_names
        everything = list(normalisers_in(self.valued, self.factors))
        self._variables = {n.variable for n in everything}
        wanted = self._variables if self._var_names is None else self._var_names
        self._found = [n for n in everything if n.variable in wanted]
        self.left_out = tuple(n.name for n in everything if n.variable not in wanted)

    def __getitem__(self, i):
        return self._found[i]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Normaliser]:
        return iter(self._found)

    def required(self, names: str | Sequence[str] | None = None) -> Normalisers:
        """These, or those of some names.

        Raises
        ------
        ValueError
            If there are none, or none of a name.
        """
        known = [n.name for n in self]
        if not self._variables:
            raise ValueError(
                "The model has no estimated normaliser. Use pymc_ebm.EBM, or "
                "pymc_ebm.log_partition inside a pm.Potential, and pass that model."
            )
        asked = self._variables if self._var_names is None else self._var_names
        without = [name for name in asked if name not in self._variables]
        if without or not asked:
            raise ValueError(
                f"The model has no estimated normaliser in {', '.join(without) or 'no names'}. "
                f"There are some in {', '.join(sorted(self._variables))}."
            )
        if names is None:
            return self
        names = [names] if isinstance(names, str) else names
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(
                f"The model has no normaliser {', '.join(unknown)}. Its normalisers are "
                f"{', '.join(known)}."
            )
        some = object.__new__(Normalisers)
        some.__dict__.update(model=self.model, valued=self.valued, factors=self.factors)
        some._variables, some._var_names = self._variables, self._var_names
        some.left_out = self.left_out
        some._found = [n for n in self if n.name in names]
        return some

    @property
    def references(self) -> dict[str, Reference]:
        """The reference of each normaliser by its name."""
        return {n.name: n.reference for n in self}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the free parameters of the model."""
        return tuple(rv.name for rv in self.valued.free_RVs)

    @cached_property
    def data(self) -> dict[str, Data]:
        """Observed data by the names of the normalisers that they have."""
        return data_of_normalisers(self.valued, self)

    @cached_property
    def amplification_graphs(self) -> list[Variable]:
        """Graphs of c, one for each normaliser."""
        return amplification_graphs(list(self.factors.values()), self)

    def in_model_values(self, graphs: Sequence[Variable]) -> list[Variable]:
        """Graphs of these values as graphs of the value variables of the model as given."""
        return in_values_of(self.model, self.valued, graphs)

    def compile(self, outs: Sequence[Variable], **kwargs) -> Callable[[Mapping], list[NDArray]]:
        """A function of a point, a dict of values by the names of the value variables.

        Parameters
        ----------
        outs : sequence of Variable
        **kwargs
            Passed to ``Model.compile_fn``.
        """
        # PyMC warns of a parameter that no output needs unless it is told to ignore that.
        kwargs = {"on_unused_input": "ignore", **kwargs}
        function = self.valued.compile_fn(list(outs), inputs=self.valued.value_vars, **kwargs)
        types = {v.name: v.dtype for v in self.valued.value_vars}

        def at(point):
            return function({n: np.asarray(point[n], dtype=dtype) for n, dtype in types.items()})

        return at

    @cached_property
    def log_probabilities(self) -> Callable[[Mapping], dict[str, NDArray]]:
        """Function of a point that gives the log-probability of each variable and potential."""
        function = self.compile([factor.sum() for factor in self.factors.values()])
        return lambda point: dict(zip(self.factors, function(point), strict=True))

    @cached_property
    def log_probability(self) -> Callable[[Mapping], float]:
        """Function of a point that gives the log-probability of the model."""
        function = self.compile([pt.add(*[f.sum() for f in self.factors.values()], 0.0)])
        return lambda point: float(function(point)[0])

    @cached_property
    def amplification(self) -> Callable[[Mapping], dict[str, NDArray]]:
        """Function of a point that gives c of each normaliser."""
        function = self.compile(self.amplification_graphs)
        return lambda point: {n.name: c for n, c in zip(self, function(point), strict=True)}

    @cached_property
    def own_scale(self) -> Callable[[Mapping], dict[str, NDArray]]:
        """Function that gives the parameters on their own scale at a point of the given model."""
        model = self.model
        function = model.compile_fn(
            own_scale_graphs(model), inputs=model.value_vars, on_unused_input="ignore"
        )
        # A copy of the model may have its variables in another order.
        names = [rv.name for rv in model.free_RVs]
        return lambda point: dict(zip(names, function(point), strict=True))

    @cached_property
    def _log_weights_and_amplification(self):
        return self.compile([*[n.log_weights() for n in self], *self.amplification_graphs])

    def at(self, point: Mapping[str, ArrayLike]) -> dict[str, NormaliserValues]:
        """Log weights and amplification of each normaliser by its name."""
        outputs = self._log_weights_and_amplification(point)
        return {
            n.name: NormaliserValues(
                np.asarray(log_weights).reshape(-1, n.reference.points_per_row),
                np.asarray(c, dtype=float).reshape(-1),
                n.reference,
            )
            for n, log_weights, c in zip(
                self, outputs[: len(self)], outputs[len(self) :], strict=True
            )
        }

    def posterior(self, idata: xr.DataTree) -> xr.Dataset:
        """Draws of the free parameters, see `free_posterior`."""
        return free_posterior(idata, self.valued)

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
        unknown = [name for name in given if name not in self.parameters]
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
