"""Families of bambi made of energies, for models written as formulas (extra ``bambi``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytensor.tensor as pt
import xarray as xr

from pymc_ebm.diagnostics.reference_stats import compute_reference_stats as _of_pymc
from pymc_ebm.distribution.ebm import EBM
from pymc_ebm.energies.conway import conway_maxwell_poisson_mean as _by_mean
from pymc_ebm.energy.energy import EnergyFunction
from pymc_ebm.energy.fingerprint import digest_of
from pymc_ebm.energy.split import evaluate
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference.base import Reference

__all__ = ["compute_reference_stats", "conway_maxwell_poisson", "family"]


def family(
    name: str,
    energy: EnergyFunction,
    params: Sequence[str],
    *,
    link: str | dict[str, str] = "identity",
    priors: dict[str, Any] | None = None,
    **options,
):
    """Family of bambi whose response has an energy, so that formulas and random effects serve it.

    Parameters
    ----------
    name : str
    energy : callable
        ``energy(x, *params)``, see `pymc_ebm.EBM`.
    params : sequence of str
        Names of the parameters in the energy's order. The formula is about the first.
    link : str or dict
        Link function of the first parameter, or of several by name.
    priors : dict, optional
        Default priors of the other parameters, as ``bambi.Prior``.
    **options
        Of `pymc_ebm.EBM`, such as ``reference=`` and ``support=``. Without a reference each model
        makes its own, and a family that has served several data cannot predict.

    Returns
    -------
    bambi.Family

    Raises
    ------
    ImportError
        Without bambi.

    Examples
    --------
    >>> import bambi as bmb
    >>> import pymc_ebm as ebm
    >>> laplace = ebm.families.family(
    ...     "laplace",
    ...     lambda x, mu, b: abs(x - mu) / b,
    ...     ["mu", "b"],
    ...     priors={"b": bmb.Prior("HalfNormal", sigma=1)},
    ... )
    >>> laplace.likelihood.params
    ['mu', 'b']
    >>> model = bmb.Model("y ~ x + (1|group)", data, family=laplace)  # doctest: +SKIP
    """
    import bambi

    response = _Response(energy, tuple(params), options)
    likelihood = bambi.Likelihood(name, params=list(params), parent=params[0], dist=response)
    made = bambi.Family(name, likelihood, link)
    made.set_default_priors(priors or {})
    return made


def conway_maxwell_poisson(largest: int = 200, **options):
    """Family of counts with more or less variance than Poisson counts, by their mean.

    The mean has a log link, and ν, which is 1 for Poisson counts, a half-normal prior of scale 2.

    Parameters
    ----------
    largest : int
        The counts are 0, 1, …, `largest`, which should have no weight; time is proportional to it.
    **options
        Of `pymc_ebm.EBM`.

    Returns
    -------
    bambi.Family

    Raises
    ------
    ImportError
        Without bambi.

    See Also
    --------
    pymc_ebm.energies.conway_maxwell_poisson_mean : the energy.

    Examples
    --------
    >>> import bambi as bmb
    >>> import pymc_ebm as ebm
    >>> counts = ebm.families.conway_maxwell_poisson(largest=100)
    >>> counts.likelihood.parent
    'mu'
    >>> model = bmb.Model("art ~ fem + kid5 + ment", data, family=counts)  # doctest: +SKIP
    """
    import bambi

    options = {"reference": enumeration(range(largest + 1))} | options
    return family(
        "conway_maxwell_poisson",
        partial(_by_mean, largest=largest),
        ["mu", "nu"],
        link="log",
        priors={"nu": bambi.Prior("HalfNormal", sigma=2)},
        **options,
    )


def compute_reference_stats(model, idata: xr.DataTree, **options) -> xr.DataTree:
    """What the estimated normalisers did to the posterior of a bambi model.

    `pymc_ebm.compute_reference_stats` of bambi's PyMC model would be at other parameters: bambi
    centres the predictors there, and gives the intercept of those that are not centred.

    Parameters
    ----------
    model : bambi.Model
    idata : xr.DataTree
        What ``model.fit()`` returned. It gets the statistics as further groups.
    **options
        Of `pymc_ebm.compute_reference_stats`.

    Returns
    -------
    xr.DataTree
        `idata`.

    Examples
    --------
    Of a bambi model, which takes a minute to sample::

        idata = model.fit()
        ebm.families.compute_reference_stats(model, idata)
        print(ebm.report(idata))
    """
    own = idata.copy()
    own["posterior"] = xr.DataTree(as_sampled(model, idata["posterior"].to_dataset()))
    stats = _of_pymc(own, model=model.backend.model, extend_inferencedata=False, **options)
    for name, group in stats.children.items():
        idata[name] = xr.DataTree(group.to_dataset())
    return idata


def as_sampled(model, posterior: xr.Dataset) -> xr.Dataset:
    """A posterior of bambi at the values of its PyMC model's own variables.

    Intercepts are those of centred predictors there, and group effects are their offsets times
    their scale.

    Parameters
    ----------
    model : bambi.Model
        With one response of no further dimensions.
    posterior : xr.Dataset
        As ``model.fit()`` gives it.

    Returns
    -------
    xr.Dataset
    """
    found = posterior.copy()
    for component in model.conditional_parameters.values() if model.center_predictors else ():
        if component.intercept_term is None:
            continue
        intercept = component.intercept_term.alias or component.intercept_term.name
        for term in component.common_terms.values():
            slopes = posterior[term.alias or term.name]
            centred = slopes * np.mean(term.data, axis=0)
            found[intercept] = found[intercept] + centred.sum(
                [d for d in slopes.dims if d not in ("chain", "draw")]
            )
    for variable in model.backend.model.free_RVs:
        effect = variable.name.removesuffix("_offset")
        if variable.name not in posterior and effect in posterior:
            found[variable.name] = posterior[effect] / posterior[f"{effect}_sigma"]
    return found


class _Response:
    """An `EBM` that bambi takes for a PyMC distribution.

    A class because bambi calls it and its ``dist``, whose reference is that of the variable. Each
    model makes its own where none is given, as its data are others.
    """

    def __init__(self, energy: Callable, params: tuple[str, ...], options: dict[str, Any]):
        self.energy = energy
        self.params = params
        self.options = options
        self._made: dict[str, Reference] = {}  # by the data

    def __call__(self, name: str, **given):
        """Add the response to the model on the context stack."""
        params = [given.pop(p) for p in self.params]
        variable = EBM(name, *params, energy=self.energy, **self.options, **given)
        data = evaluate([pt.as_tensor(given["observed"])])
        self._made[digest_of(data)] = variable.owner.op.spec.reference
        return variable

    def dist(self, **given):
        """The response without a name, for predictions."""
        params = [given.pop(p) for p in self.params]
        options = dict(self.options)
        if "reference" not in options:
            if len(self._made) > 1:
                raise ValueError(
                    f"The family has served models of {len(self._made)} sets of data, each with a "
                    "reference of its own, and predictions do not say which. Make a family for "
                    "each model, or give it reference=."
                )
            if self._made:
                [options["reference"]] = self._made.values()
        return EBM.dist(*params, energy=self.energy, **options, **given)
