"""`EBM`: an energy-based model as a PyMC distribution."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Callable

import pytensor.tensor as pt
from pymc.distributions.distribution import Distribution

from pymc_ebm.distribution.bounds import moving_support
from pymc_ebm.distribution.default_reference import fit_reference
from pymc_ebm.distribution.energy_rv import EnergyRV, Spec, importance_resampling
from pymc_ebm.distribution.events import event_shape
from pymc_ebm.distribution.integrals import check_space
from pymc_ebm.distribution.missing import (
    Missing,
    check_free,
    holes_of,
    missing_entries,
    without_holes,
)
from pymc_ebm.distribution.moving_support import MovingSupport
from pymc_ebm.distribution.named_errors import errors_of
from pymc_ebm.distribution.observed import (
    as_integers,
    check_energy,
    check_shape,
    check_values,
    observed_values,
)
from pymc_ebm.distribution.whole_data import keep_whole
from pymc_ebm.energy.captured import captured_names
from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.energy.parameters import as_parameter, signature_of
from pymc_ebm.partition._log_partition import log_weights_of, names_of
from pymc_ebm.partition.checks import check_log_weights, check_reference
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.box import Support
from pymc_ebm.space.named import normalise_support

__all__ = ["EBM"]

# What `pm.Distribution` takes besides.
_OF_PYMC = ("rng", "initval", "total_size", "transform", "default_transform", "shape", "size")


RELATIVE = (
    "log Z is known up to a constant, as of chains. The posterior does not depend on it, but "
    "log-likelihoods, LOO and Bayes factors do. If you need them, give an anchor its "
    "log_partition, or use a reference that has a level: enumeration, annealed."
)


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
        The weighted points that estimate log Z. By default one is made from the observed data, the
        first of these that can serve: all states, up to 2²⁰ times the distinct rows of parameters;
        a range of whole numbers whose ends have no weight; for one or two real numbers
        `pymc_ebm.reference.panels`, where they resolve the model all over the posterior; for more
        states, chains at parameters that the data and the prior allow, as
        `pymc_ebm.reference.pooled` places them; points fitted to the data, wider than they are
        (paper, section 3.2), with as many as bring the error that they are expected to add to a
        posterior mean below 5% of its sd: at first 2¹⁴, fewer for many rows, and at most 2¹⁸, or
        2²¹ divided by the number of rows; where these are too few for three or more real numbers,
        `pymc_ebm.reference.annealed`.
    signature : str, optional
        Core dimensions of the parameters, as ``pm.CustomDist`` takes them; the output side may
        be left out: ``"(k),()"``.
    support : str, pair or callable, optional
        ``"real"``, ``"positive"``, ``"unit"``, ``"sphere"``, ``"circle"``, ``"simplex"``,
        ``"permutations"``, a space or ``(lower, upper)``; the reference's own by default. Points
        of the reference outside it are dropped. A bound may also be an array or data with one for
        each observation, a variable of the model, or ``support=`` a function of the parameters
        that returns both, ``lambda a, low: (low, 50)``: the points then move with it, and so do
        derivatives.
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
        Without `reference` and observed data; data of a shape that does not fit, empty, outside the
        support, or that look constrained; an energy that breaks its contract (see
        `log_partition`); no default that serves: annealed points that would add more than a tenth
        of a posterior sd, fitted ones more than a fourth, an integral that diverges; a space
        that moves with the parameters while the points of its reference, given or not, do not.
    TypeError
        Complex, string or object data; discrete data with a continuous reference and the reverse;
        a `domain` that returns no condition.
    NotImplementedError
        Missing (NaN or masked) observations, or entries on spaces where they are bound to one
        another. Missing entries of events on finite sites and boxes mean the likelihood of what was
        seen, and `impute` draws them.

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
        with errors_of("EBM", name):
            _check_keywords(cls, kwargs)
            if not isinstance(name, str):
                raise TypeError(
                    f"an EBM begins with {name!r}. Give the name of the variable first, then the "
                    'parameters of the energy: EBM("x", sigma, energy=...).'
                )
            energy = as_energy(energy, signature)
            variables = [as_parameter(p) for p in params]
            energy.core_types(variables)  # refuses those of fewer dimensions than their signature
            holes = holes_of(observed)
            data = observed_values(observed if holes is None else without_holes(observed, holes))
            if holes is not None and not _event_shape(reference, energy, variables, data):
                observed_values(observed)  # a whole observation is missing
            space, of_v, moving = support, data, None
            found = moving_support(
                support, energy, variables, lambda: _event_shape(reference, energy, variables, data)
            )
            if found is not None:
                moving, variables = found
                energy, space = moving.energy, moving.space
                of_v = data if data is None else moving.numbers(data, variables)
            if reference is None and data is not None and holes is not None:
                check_free(data, holes, _event_shape(reference, energy, variables, data), space)
            if reference is None:
                seen = None if moving is None or data is None else moving.seen(data)
                reference = fit_reference(energy, variables, of_v, space, progressbar, seen, holes)
            else:
                reference = _on_support(reference, support if moving is None else moving, data)
                check_space(energy, variables, reference)
            if not reference.absolute:
                warnings.warn(f"EBM {name!r}: {RELATIVE}", UserWarning, stacklevel=2)
            missing = None
            if data is not None and holes is not None:
                missing = missing_entries(data, holes, energy, variables, reference, moving)
            if data is not None:
                check_shape(data, dims, kwargs.get("shape"))
                check_values(data, reference, moving)
                observed = as_integers(observed, data, reference)
            graph, _ = log_weights_of(energy, variables, reference)
            if names := captured_names(graph.given.captured, variables):
                raise ValueError(
                    f"the energy uses {', '.join(sorted(names))} of the model without getting it. "
                    "Make it a parameter of the energy and pass it to EBM."
                )
            # Of distinct rows, and of all.
            varying = graph.given.varying
            known = initial_values([*varying, *variables])
            log_weights = check_log_weights(
                graph, names_of(variables), known and known[: len(varying)]
            )
            if data is not None:
                values = known and known[len(varying) :]
                check_energy(data, energy, variables, reference, values, log_weights, moving)
                keep_whole(observed, name, reference)
            return super().__new__(
                cls,
                name,
                *variables,
                energy=energy,
                reference=reference,
                support=moving,
                domain=domain,
                sampler=sampler,
                missing=missing,
                observed=observed if missing is None else pt.constant(missing.data),
                dims=dims,
                **kwargs,
            )

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
        missing: Missing | None = None,
        **kwargs,
    ):
        """Make an unnamed EBM, for example as a component of ``pm.Mixture`` (eq. 26)."""
        if reference is None:
            raise ValueError(
                "EBM.dist has no observed data to fit a reference to. Give it one: reference="
                "ebm.reference.fitted(data), or independent(...)."
            )
        check_reference(reference)
        shape = reference.event_shape
        variables = [as_parameter(p) for p in params]
        energy = as_energy(energy, signature)
        energy.cores(len(variables))  # refuses a signature of another number
        if sampler is not None and not callable(sampler):
            raise TypeError(
                f"sampler is {sampler!r}, which cannot be called. Give a function of "
                "pymc_ebm.sampling, such as sampler=pymc_ebm.sampling.gibbs."
            )
        moving = None
        found = moving_support(support, energy, variables, lambda: shape)
        if found is not None:
            moving, variables = found
            energy = moving.energy
        reference = _on_support(reference, support if moving is None else moving)
        spec = Spec(energy, reference, domain, sampler or importance_resampling(), moving, missing)
        spec.conditions(variables)  # refuses what is no condition
        return super().dist(variables, spec=spec, **kwargs)

    @classmethod
    def rv_op(cls, *params, spec: Spec, size=None, rng=None):
        """Apply the random variable of `spec` to parameters."""
        cores = spec.energy.cores(len(params))
        # PyMC reads the event's shape off literals.
        event = ",".join(str(n) for n in spec.reference.event_shape)
        dtype = spec.reference.space.dtype
        op = EnergyRV(spec, signature=f"{signature_of(cores)}->({event})", dtype=dtype)
        rows = spec.reference.n_rows
        if (
            rows is not None
            and size is None
            and all(p.ndim == n for p, n in zip(params, cores, strict=True))
        ):
            size = (rows,)
        rng = pt.random.shared_rng(seed=None) if rng is None else rng
        return op(*params, size=size, rng=rng, return_next_rng=True)[1]


def _on_support(reference, support, data=None) -> Reference:
    check_reference(reference)
    if support is None or isinstance(support, MovingSupport):
        return reference if support is None else support.of_v(reference)
    space, event = normalise_support(support), reference.event_shape
    fits = data is not None and data.shape[data.ndim - len(event) :] == event
    if fits and type(space) is not Support:
        space = space.of_data(data.reshape(-1, *event))
    return reference.restricted_to(space)


def _event_shape(reference, energy, variables, data) -> tuple[int, ...]:
    if reference is not None:
        check_reference(reference)
        return reference.event_shape
    return () if data is None else event_shape(energy, variables, data)


def _check_keywords(cls, given) -> None:
    """Say what an unknown keyword may have been meant for."""
    named = inspect.signature(cls.__new__).parameters
    known = [*_OF_PYMC, *(n for n, p in named.items() if p.kind is p.KEYWORD_ONLY)]
    for keyword in given:
        if keyword in known:
            continue
        close = difflib.get_close_matches(keyword, known, n=1)
        hint = (
            f"Did you mean {close[0]}=?"
            if close
            else (
                "The parameters of the energy are positional, in its order: "
                f'EBM("x", {keyword}, energy=...).'
            )
        )
        raise TypeError(f"there is no keyword {keyword}=. {hint}")
