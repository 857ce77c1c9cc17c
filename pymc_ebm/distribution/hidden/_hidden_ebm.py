"""`HiddenEBM`: a latent energy-based field under an observation model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.distributions.distribution import Distribution
from pytensor.graph.basic import Variable

from pymc_ebm.distribution.captured import captured_names
from pymc_ebm.distribution.energy_rv import importance_resampling
from pymc_ebm.distribution.hidden.emission import IMPOSSIBLE, Emission, EmissionFunction, Layout
from pymc_ebm.distribution.hidden.field import HiddenField
from pymc_ebm.distribution.hidden.hidden_rv import HiddenRV
from pymc_ebm.distribution.hidden.references import hidden_field
from pymc_ebm.distribution.missing import CODE, holes_of, without_holes
from pymc_ebm.distribution.observed import check_shape, observed_values
from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.energy.initial_values import initial_values
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
        nor `reference`; a model that an energy or emission uses without getting it.
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
        try:
            theta, phi = ([as_parameter(p) for p in given] for given in (params, emission_params))
            if not isinstance(energy, Energy):
                energy = as_energy(energy, signature_of([p.ndim for p in theta]))
            holes = holes_of(observed)
            filled = observed if holes is None else without_holes(observed, holes)
            data = observed_values(filled)
            if data is None:
                raise ValueError("there are no observed data. Give observed=.")
            values = _values(states, reference)
            layout = _layout(energy, theta, emission, phi, values, data, reference)
            seen = data[(0,) * (data.ndim - len(layout.channels))]
            of_sites = Emission(emission, values, layout, np.asarray(seen))
            check_shape(data, dims, kwargs.get("shape"))
            kept = observed if isinstance(observed, Variable) else data
            if holes is not None:
                _check_holes(holes, of_sites, phi)
                code = np.nan if data.dtype.kind == "f" else CODE
                observed = pt.constant(np.where(holes, code, data))
            _check_emission(of_sites, pt.as_tensor(data if holes is None else observed), phi)
            spec = hidden_field(
                energy, theta, of_sites, phi, observed if holes is not None else kept, reference,
                posterior_reference, sampler or importance_resampling(), progressbar,
            )  # fmt: skip
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
        except (ValueError, TypeError, NotImplementedError, MemoryError) as error:
            if isinstance(name, str) and not str(error).startswith("HiddenEBM "):
                raise type(error)(f"HiddenEBM {name!r}: {error}") from error
            raise

    @classmethod
    def dist(cls, *params, spec: HiddenField, **kwargs):
        """An unnamed variable of a field that is known in full."""
        return super().dist([as_parameter(p) for p in params], spec=spec, **kwargs)


def _values(states, reference: Reference | None) -> NDArray:
    """States that a site may have, ``(K,)``."""
    if reference is None and states is None:
        raise ValueError(
            "what the sites may be is not known. Give the states, for example states=[0, 1]."
        )
    if states is None:
        assert reference is not None
        if not reference.discrete:
            raise TypeError(
                "the reference is continuous, and hidden fields have finite states. Give a "
                "discrete one, or states=."
            )
        return np.unique(reference.points)
    values = np.asarray(states)
    if values.ndim != 1 or len(np.unique(values)) != len(values) or len(values) < 2:
        raise ValueError(
            f"states is {states!r}. Give a list of two or more different values, such as [0, 1]."
        )
    return np.sort(values)


def _layout(energy, theta, emission, phi, values, data, reference) -> Layout:
    """Axes of the data, as energy and emission tell."""
    placeholders = [t(f"param_{i}") for i, t in enumerate(energy.core_types(theta))]
    # States of any shape, with a batch axis: the energy eats those of the event.
    x = pt.constant(np.full((1, *data.shape), values[0]))
    try:
        event_ndim = x.ndim - energy(x, *placeholders).ndim
    except (IndexError, ValueError, TypeError) as error:
        raise ValueError(
            f"the energy cannot be called with states of shape {x.type.shape} and "
            f"{len(theta)} parameters: {str(error).rstrip('.')}. Give it those that it takes."
        ) from error
    if reference is not None:
        event_ndim = len(reference.event_shape)
    some = pt.tensor("x", dtype=values.dtype.name, shape=(None,) * event_ndim)
    try:
        found = Emission(emission, values, Layout((), (), ()), data).distribution(some, phi)
    except (IndexError, ValueError) as error:
        raise ValueError(
            f"the emission cannot be called with states of {event_ndim} axes and "
            f"{len(phi)} parameters: {str(error).rstrip('.')}."
        ) from error
    n_channels = found.ndim - event_ndim
    first = data.ndim - event_ndim - n_channels
    if n_channels < 0 or first < 0 or first > 1:
        raise ValueError(
            f"the observed data have shape {data.shape}. The energy takes {event_ndim} axes for "
            f"one field and the emission adds {n_channels}: give one image, or several with "
            "their number first."
        )
    shape = data.shape
    layout = Layout(shape[:first], shape[first : first + event_ndim], shape[first + event_ndim :])
    if reference is not None and reference.event_shape != layout.event:
        raise ValueError(
            f"the observed data have shape {data.shape}, of which the field has {layout.event}, "
            f"and the reference has {reference.event_shape}. Give a reference of that shape."
        )
    return layout


def _check_holes(holes: NDArray, emission: Emission, phi) -> None:
    """Refuse vectors of which a part is missing."""
    x = pt.constant(np.full(emission.layout.event, emission.values[0]))
    own = tuple(range(-emission.distribution(x, phi).owner.op.ndim_supp, 0))
    if own and (holes.any(axis=own) != holes.all(axis=own)).any():
        raise NotImplementedError(
            "some channels of a vector are missing, whose density without them is not known. "
            "Leave out all channels of that site, or emit independent channels."
        )


def _check_emission(emission: Emission, y, phi) -> None:
    """Refuse densities that are no numbers, data that cannot be, and what is not given."""
    log_densities = emission.log_densities(y, phi)
    if names := captured_names([log_densities], [y, *phi]):
        raise ValueError(
            f"the emission uses {', '.join(sorted(names))} of the model without getting it. Make "
            "it a parameter of the emission and give it in emission_params=."
        )
    values = initial_values([log_densities])
    if values is None:
        return
    [table] = values
    if table.shape != (*emission.layout.batch, emission.layout.n_sites, len(emission.values)):
        raise ValueError(
            f"the emission of one field has log densities of shape {table.shape}, for data of "
            f"{emission.layout.n_sites} sites. Return a distribution of the shape of x."
        )
    for bad, what in (
        (np.isnan(table).any(axis=-1), "is NaN"),
        ((table < IMPOSSIBLE / 2).all(axis=-1), "is zero in every state"),
    ):
        if bad.any():
            shape = (*emission.layout.batch, *emission.layout.event)
            place = tuple(int(i) for i in np.argwhere(bad.reshape(shape))[0])
            raise ValueError(
                f"the density of {bad.sum()} observed values {what} where the parameters start, "
                f"the first at {place}. Correct the data or the emission, or give initval=."
            )
