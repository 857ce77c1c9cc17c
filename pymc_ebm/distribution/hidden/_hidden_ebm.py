"""`HiddenEBM`: a latent energy-based field under an observation model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.distribution import Distribution
from pytensor.graph.basic import Variable

from pymc_ebm.distribution.ebm import RELATIVE
from pymc_ebm.distribution.energy_rv import importance_resampling
from pymc_ebm.distribution.hidden.data import (
    check_emission,
    check_reference_of_field,
    layout_of,
    values_of,
    with_holes,
)
from pymc_ebm.distribution.hidden.emission import Emission, EmissionFunction
from pymc_ebm.distribution.hidden.field import HiddenField
from pymc_ebm.distribution.hidden.hidden_rv import HiddenRV
from pymc_ebm.distribution.hidden.references import hidden_field
from pymc_ebm.distribution.missing import holes_of, without_holes
from pymc_ebm.distribution.named_errors import errors_of
from pymc_ebm.distribution.observed import check_shape, observed_values
from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.energy.parameters import as_parameter, signature_of
from pymc_ebm.reference.base import Reference

__all__ = ["HiddenEBM"]


class HiddenEBM(Distribution):
    r"""A latent energy-based field x under an observation model: a hidden Markov random field.

    .. math:: \log p(y \mid θ, φ) = \log \sum_x e^{−E(x \mid θ)} \prod_i p(y_i \mid x_i, φ)
              − \log \sum_x e^{−E(x \mid θ)}

    Both sums are normalisers, that of the field given y and that of the field, and each is
    estimated, reported and estimated again like those of an `EBM`. `hidden_states` draws x.

    Parameters
    ----------
    name : str
    *params : tensor_like
        Parameters θ of the energy, shared by all images.
    energy : callable
        ``energy(x, *params)``, ``(*batch, *event) -> (*batch,)`` in nats, such as
        `pymc_ebm.energies.potts`.
    emission : callable
        ``emission(x, *emission_params)``: the PyMC distribution of what is seen of states
        ``(*batch, *event)``, of that shape or with axes of channels behind it, such as
        ``lambda x, mu, sigma: pm.Normal.dist(mu[x], sigma)``. States −1 and 1 index as
        ``mu[(x + 1) // 2]``.
    emission_params : sequence of tensor_like
        φ, of any shapes: all of the model that `emission` uses. Covariates are of the event's
        shape.
    states : array_like, optional
        What each site may be, ``[0, 1, 2]``. Needed where there is no `reference`.
    reference : Reference, optional
        Of p(x | θ). By default all states where they are few, and else chains.
    posterior_reference : Reference, optional
        Of p(x | y, θ, φ). By default as above.
    sampler : callable, optional
        Makes predictive draws of the field, as in `EBM`.
    observed : array_like
        ``(*event, *channels)``, or ``(N, *event, *channels)`` for N images. NaN or masked values
        are missing: they say nothing of their sites.
    progressbar : bool
        While chains run.
    dims, initval, ... : optional
        As for every PyMC distribution.

    Returns
    -------
    TensorVariable

    Raises
    ------
    ValueError
        Data of a shape that does not fit; data that no state can have emitted; neither `states`
        nor `reference`, or a reference with others; a model that an energy or emission uses
        without getting it.
    TypeError
        An emission that returns no distribution.

    References
    ----------
    J. Besag (1986), "On the statistical analysis of dirty pictures", J. R. Statist. Soc. B 48,
    259–302; N. Friel, A. N. Pettitt, R. Reeves, E. Wit (2009), "Bayesian inference in hidden Markov
    random fields for binary data defined on large lattices", J. Comput. Graph. Stat. 18, 243–261.

    Examples
    --------
    A noisy image of two classes:

    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> y = np.array([[0.1, -0.3, 1.9], [0.2, 2.2, 1.7], [1.6, 2.3, np.nan]])
    >>> with pm.Model() as model:
    ...     beta = pm.HalfNormal("beta", 1)
    ...     mu = pm.Normal("mu", [0, 2], 1, shape=2)
    ...     image = ebm.HiddenEBM(
    ...         "y",
    ...         beta,
    ...         energy=ebm.energies.potts,
    ...         states=[0, 1],
    ...         emission=lambda x, mu: pm.Normal.dist(mu[x], 0.3),
    ...         emission_params=[mu],
    ...         observed=y,
    ...     )
    >>> model.compile_logp()(model.initial_point()).round(3).item()
    -12.135
    """

    rv_type = HiddenRV
    rv_op = HiddenRV.rv_op

    def __new__(
        cls,
        name: str,
        *params,
        energy: Energy | EnergyFunction,
        emission: EmissionFunction,
        emission_params: Sequence = (),
        states=None,
        reference: Reference | None = None,
        posterior_reference: Reference | None = None,
        sampler: Callable | None = None,
        observed=None,
        dims=None,
        progressbar: bool = True,
        **kwargs,
    ):
        """Add the variable to the model on the context stack."""
        with errors_of("HiddenEBM", name):
            theta, phi = ([as_parameter(p) for p in given] for given in (params, emission_params))
            if not isinstance(energy, Energy):
                energy = as_energy(energy, signature_of([p.ndim for p in theta]))
            holes = holes_of(observed)
            filled = observed if holes is None else without_holes(observed, holes)
            data = observed_values(filled)
            if data is None:
                raise ValueError("there are no observed data. Give observed=.")
            values = values_of(states, reference)
            layout = layout_of(energy, theta, emission, phi, values, data, reference)
            for q in (reference, posterior_reference):
                if q is not None:
                    check_reference_of_field(q, values, layout)
            seen = data[(0,) * (data.ndim - len(layout.channels))]
            of_sites = Emission(emission, values, layout, np.asarray(seen))
            check_shape(data, dims, kwargs.get("shape"))
            kept = observed if isinstance(observed, Variable) else data
            if holes is not None:
                observed = pt.constant(with_holes(data, holes, of_sites, phi))
            check_emission(of_sites, pt.as_tensor(data if holes is None else observed), phi)
            spec = hidden_field(
                energy, theta, of_sites, phi, observed if holes is not None else kept, reference,
                posterior_reference, sampler or importance_resampling(), progressbar,
            )  # fmt: skip
            if not all(q.absolute for q in (spec.reference, *(g.reference for g in spec.given))):
                warnings.warn(f"HiddenEBM {name!r}: {RELATIVE}", UserWarning, stacklevel=2)
            return super().__new__(
                cls,
                name,
                *theta,
                *phi,
                spec=spec,
                observed=observed,
                dims=dims,
                **kwargs,
            )

    @classmethod
    def dist(cls, *params, spec: HiddenField, **kwargs):
        """An unnamed variable of a field that is known in full."""
        return super().dist([as_parameter(p) for p in params], spec=spec, **kwargs)
