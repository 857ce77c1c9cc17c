"""`EBM`: an energy-based model as a PyMC distribution."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from pymc.distributions import transforms
from pymc.distributions.dist_math import check_parameters
from pymc.distributions.distribution import Distribution, _support_point
from pymc.distributions.transforms import _default_transform
from pymc.logprob.abstract import _logprob
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.random.type import RandomGeneratorType

from pymc_ebm.distribution.default_reference import fit_reference
from pymc_ebm.distribution.observed import (
    as_integers,
    check_energy,
    check_shape,
    check_values,
    observed_values,
)
from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.energy.parameters import as_parameter, signature_of, without_unit_batch
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.partition.checks import check_reference
from pymc_ebm.reference.base import Reference

__all__ = ["EBM"]


@dataclass(frozen=True)
class _Spec:
    """What identifies an energy-based model besides its parameters."""

    energy: Energy
    reference: Reference
    domain: Callable | None
    sampler: Callable

    def conditions(self, params) -> list:
        """Conditions under which parameters lie in the domain."""
        if self.domain is None:
            return []
        returned = self.domain(*params)
        found = list(returned) if isinstance(returned, list | tuple) else [returned]
        # PyTensor has a type for the product of conditions that NumPy calls a whole number.
        kinds = [np.dtype(getattr(c, "dtype", type(c))).kind for c in found]
        if not found or not set(kinds) <= set("biu"):
            raise TypeError(
                f"domain= returned {returned!r}. Return one condition on the "
                "parameters, or a list of them, such as lambda mu, sigma: sigma > 0."
            )
        return found


class EnergyRV(RandomVariable):
    """Random variable of an energy-based model."""

    name = "EBM"
    _print_name = ("EBM", "\\operatorname{EBM}")
    __props__ = (*RandomVariable.__props__, "spec")

    def __init__(self, spec: _Spec, **kwargs):
        self.spec = spec
        super().__init__(**kwargs)

    def __str__(self):
        return f"EBM_rv{{{self.spec.reference.description}}}"

    def rng_fn(self, rng, *args):
        """Draw by the sampler; all draws that share a row of parameters in one call."""
        *params, size = args
        rows = self.spec.energy.rows_of(params, () if size is None else tuple(size))
        draws = np.empty((len(rows.kinds), *self.spec.reference.event_shape), dtype=self.dtype)
        for kind in range(len(rows)):
            mine = rows.kinds == kind
            draws[mine] = self._draw(rng, rows.row(kind), int(mine.sum()))
        return draws.reshape((*rows.batch, *self.spec.reference.event_shape))

    def _draw(self, rng, row, n_draws: int):
        """Independent draws at one row: as many chains, one draw of each."""
        spec = self.spec
        draws = spec.sampler(
            spec.energy,
            *row,
            reference=spec.reference,
            draws=1,
            chains=n_draws,
            random_seed=rng,
            signature=spec.energy.signature,
            progressbar=False,
            return_inferencedata=False,
        )
        return draws.reshape((n_draws, *spec.reference.event_shape))


class EBM(Distribution):
    r"""Energy-based model: log p(x | θ) = −E(x | θ) − log Ẑ(θ) (eqs. 1, 3 and 8).

    Parameters
    ----------
    name : str
    *params : tensor_like
        Parameters of the energy, scalars unless `signature` says more.
    energy : callable
        ``energy(x, *params)`` builds a PyTensor graph, ``(*batch, *event) -> (*batch,)``, in
        nats. Low energy is high probability.
    reference : Reference, optional
        The weighted points that estimate log Z. By default one is made from the observed data:
        one fitted to them, wider than they are (paper, section 3.2), with as many points as bring
        the error that they are expected to add to a posterior mean below 5% of its sd: at first
        2¹⁴, fewer for many distinct rows of parameters, and at most 2¹⁸, or 2²¹ divided by the
        number of such rows; for vectors, matrices and
        networks of two values, or of the integers that `support` gives, all states where these are
        few, and else chains at parameters that the data and the prior allow, as
        `pymc_ebm.reference.pooled` places them.
    signature : str, optional
        Core dimensions of the parameters, as ``pm.CustomDist`` takes them; the output side may
        be left out: ``"(k),()"``.
    support : str or pair, optional
        ``"real"``, ``"positive"``, ``"unit"``, ... or ``(lower, upper)``; the reference's own by
        default. Points of the reference outside it are dropped.
    domain : callable, optional
        ``domain(*params)`` returns one condition or several; where one fails, logp is −inf (or
        an error, by PyMC's rules), whatever the energy says.
    sampler : callable, optional
        Makes predictive draws: a function of `pymc_ebm.sampling`, or a ``functools.partial`` that
        sets its options. Importance resampling by default.
    progressbar : bool
        While chains for the default reference run.
    observed, dims, initval, ... : optional
        As for every PyMC distribution.

    Returns
    -------
    TensorVariable

    Raises
    ------
    ValueError
        Without `reference` and observed data; data of a shape that does not fit, empty, or
        outside the support; an energy that breaks its contract (see `log_partition`).
    TypeError
        Complex, string or object data; discrete data with a continuous reference and the reverse;
        a `domain` that returns no condition.
    NotImplementedError
        Missing (NaN or masked) data.

    Notes
    -----
    Where Ẑ = 0 the log-likelihood is −inf: a reference that misses the model must not look like a
    perfect fit.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> data = np.random.default_rng(0).normal(0, 2, size=100)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=lambda x, s: x**2 / (2 * s**2), observed=data)
    """

    rv_type = EnergyRV

    def __new__(
        cls,
        name: str,
        *params,
        energy: Energy | EnergyFunction,
        reference: Reference | None = None,
        signature: str | None = None,
        support=None,
        domain: Callable | None = None,
        sampler: Callable | None = None,
        observed=None,
        dims=None,
        progressbar: bool = True,
        **kwargs,
    ):
        """Add the variable to the model on the context stack."""
        try:
            if reference is not None:
                check_reference(reference)
            energy = as_energy(energy, signature)
            variables = [as_parameter(p) for p in params]
            data = None if observed is None else observed_values(observed)
            if reference is None:
                reference = fit_reference(energy, variables, data, support, progressbar)
            if data is not None:
                check_shape(data, dims, kwargs.get("shape"))
                check_values(data, reference, support)
                if reference.discrete and data.dtype.kind == "f":
                    observed = as_integers(observed, data)
            if support is not None:
                reference = reference.restricted_to(support)
            log_z = log_partition(energy, *variables, reference=reference)
            _refuse_captured(log_z.owner, variables)
            if data is not None:
                check_energy(data, energy, variables, reference)
            return super().__new__(
                cls,
                name,
                *variables,
                energy=energy,
                reference=reference,
                domain=domain,
                sampler=sampler,
                observed=observed,
                dims=dims,
                **kwargs,
            )
        except (ValueError, TypeError, NotImplementedError, MemoryError) as error:
            if isinstance(name, str) and not str(error).startswith("EBM "):
                raise type(error)(f"EBM {name!r}: {error}") from error
            raise

    @classmethod
    def dist(
        cls,
        *params,
        energy: Energy | EnergyFunction,
        reference: Reference | None = None,
        signature: str | None = None,
        support=None,
        domain: Callable | None = None,
        sampler: Callable | None = None,
        **kwargs,
    ):
        """Make an unnamed EBM, for example as a component of ``pm.Mixture`` (eq. 26)."""
        if reference is None:
            raise ValueError(
                "EBM.dist has no observed data to fit a reference to. Give it one: reference="
                "ebm.reference.fitted(data), or independent(...)."
            )
        check_reference(reference)
        if support is not None:
            reference = reference.restricted_to(support)
        variables = [as_parameter(p) for p in params]
        energy = as_energy(energy, signature)
        energy.cores(len(variables))  # refuses a signature of another number
        spec = _Spec(energy, reference, domain, sampler or _importance_resampling())
        spec.conditions(variables)  # refuses what is no condition
        return super().dist(variables, spec=spec, **kwargs)

    @classmethod
    def rv_op(cls, *params, spec: _Spec, size=None, rng=None):
        """Apply the random variable of `spec` to parameters."""
        cores = spec.energy.cores(len(params))
        # PyMC reads the event's shape off literals.
        event = ",".join(str(n) for n in spec.reference.event_shape)
        dtype = "int64" if spec.reference.discrete else "floatX"
        op = EnergyRV(spec, signature=f"{signature_of(cores)}->({event})", dtype=dtype)
        rng = pt.random.shared_rng(seed=None) if rng is None else rng
        return op(*params, size=size, rng=rng, return_next_rng=True)[1]


def _importance_resampling() -> Callable:
    from pymc_ebm.sampling import importance_resampling  # brings numba and ArviZ

    return importance_resampling


def _refuse_captured(node, variables):
    """What a model later replaces, a random variable or data, is not replaced in a closure."""
    known = set(ancestors(variables))
    names = {
        v.name or str(v)
        for v in ancestors(node.inputs)
        if v not in known
        and not isinstance(v.type, RandomGeneratorType)
        and (
            isinstance(v, SharedVariable)
            or (v.owner is not None and isinstance(v.owner.op, RandomVariable))
        )
    }
    if names:
        raise ValueError(
            f"the energy uses {', '.join(sorted(names))} of the model without getting it. Make it "
            "a parameter of the energy and pass it to EBM."
        )


@_logprob.register(EnergyRV)
def _ebm_logp(op, values, rng, size, *params, **kwargs):
    [value] = values
    spec = op.spec
    row = without_unit_batch(params, op.ndims_params)
    energies = spec.energy.of_data(value, row, spec.reference.event_shape)
    log_z = log_partition(spec.energy, *row, reference=spec.reference)
    logp = pt.switch(pt.eq(log_z, -np.inf), -np.inf, -energies - log_z)
    event_axes = tuple(range(-len(spec.reference.event_shape), 0))
    lower, upper = spec.reference.support.lower, spec.reference.support.upper
    if np.any(np.isfinite(lower)) or np.any(np.isfinite(upper)):
        inside = pt.and_(pt.ge(value, lower), pt.le(value, upper))
        logp = pt.switch(inside.all(axis=event_axes) if event_axes else inside, logp, -np.inf)
    conditions = spec.conditions(params)
    if conditions:
        logp = check_parameters(logp, *conditions, msg="domain of the EBM's parameters")
    return logp


@_support_point.register(EnergyRV)
def _ebm_support_point(op, rv, rng, size, *params):
    """A reference point near the middle of the reference."""
    return pt.broadcast_to(op.spec.reference.middle(), rv.shape)


@_default_transform.register(EnergyRV)
def _ebm_default_transform(op, rv):
    support = op.spec.reference.support
    lower, upper = np.asarray(support.lower), np.asarray(support.upper)
    if op.spec.reference.discrete or lower.ndim or upper.ndim:
        return None
    if np.isfinite(lower) or np.isfinite(upper):
        return transforms.Interval(
            float(lower) if np.isfinite(lower) else None,
            float(upper) if np.isfinite(upper) else None,
        )
    return None
