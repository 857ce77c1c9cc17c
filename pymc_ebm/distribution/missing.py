r"""Missing entries of an event: the likelihood of what was seen of it.

.. math:: \log p(x_{seen} \mid θ) = \log Z(x_{seen}, θ) − \log Z(θ), \qquad
          Z(x_{seen}, θ) = \sum_z \exp(−E(x_{seen}, z \mid θ))

The completions z of an event are the events of a normaliser of their own, whose parameters are θ
and what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import graph_inputs

from pymc_ebm.distribution.completing import completing
from pymc_ebm.distribution.likely_values import likely_values
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import signature_of
from pymc_ebm.energy.split import evaluate
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.base import Space
from pymc_ebm.space.box import Support
from pymc_ebm.space.guess import refuse_constrained
from pymc_ebm.space.named import normalise_support
from pymc_ebm.space.sites import Sites
from pymc_ebm.space.whole_numbers import WholeNumbers

__all__ = [
    "CODE",
    "Completions",
    "Missing",
    "check_free",
    "holes_of",
    "is_constant",
    "missing_entries",
    "without_holes",
]

# A missing whole number, which has no NaN; PyMC makes 32 bits of observed ones.
CODE = int(np.iinfo(np.int32).min)
# Rows of what was seen at which panels of completions are laid.
_ANCHORS = 64


def holes_of(observed) -> NDArray | None:
    """Which entries of data are masked or NaN; None where none is."""
    if observed is None or isinstance(observed, Variable):
        return None
    holes = np.ma.getmaskarray(observed) if np.ma.isMaskedArray(observed) else None
    values = np.asarray(observed)
    if values.dtype.kind == "f":
        absent = np.isnan(values)
        holes = absent if holes is None else holes | absent
    return holes if holes is not None and holes.any() else None


def without_holes(observed, holes: NDArray) -> NDArray:
    """Data with a seen value in every hole: the median of its entry, or of all."""
    data = np.array(np.asarray(observed))
    known = data[~holes]
    if not known.size:
        raise ValueError("all entries of the observed data are missing. Give some.")
    for place in np.argwhere(holes.any(axis=0)):
        column = (slice(None), *place)
        seen = data[column][~holes[column]]
        seen = seen if seen.size else known
        # A value that occurs, also of an even number of them.
        data[column] = np.where(holes[column], np.sort(seen)[len(seen) // 2], data[column])
    return data


def is_constant(value: Variable, data: NDArray) -> bool:
    """Whether a graph is of constants alone, and has these values."""
    if not all(isinstance(v, Constant) for v in graph_inputs([value])):
        return False
    [values] = evaluate([value])
    return np.array_equal(values, data, equal_nan=data.dtype.kind == "f")


def check_free(data: NDArray, holes: NDArray, event_shape: tuple[int, ...], support) -> None:
    """Refuse holes where entries are bound to one another: in a space, or as whole events tell.

    Parameters
    ----------
    data, holes : ndarray
        ``(*batch, *event)``.
    event_shape : tuple of int
    support : optional
        As users write it; None where data are to tell their space.

    Raises
    ------
    NotImplementedError, ValueError
    """
    space = None if support is None else normalise_support(support)
    if space is not None:
        _check_kind(space)
    flat = data.reshape(-1, *event_shape)
    refuse_constrained(flat[~holes.reshape(len(flat), -1).any(axis=1)], space)


@dataclass(frozen=True, eq=False)
class Completions:
    """Events with holes whose completions are of one space.

    Attributes
    ----------
    rows : ndarray of int
        Which of the data they are, ``(n,)``.
    energy : Energy
        E of completions z ``(B, d)``; its parameters are θ, what was seen and where z belongs.
    seen : ndarray
        ``(n, D)``, zero in the holes.
    places : ndarray
        ``(n, d, D)``, one where each entry of z belongs.
    reference : Reference
    """

    rows: NDArray
    energy: Energy
    seen: NDArray
    places: NDArray
    reference: Reference

    def params(self, params: Sequence, cores: Sequence[int]) -> list:
        """Parameters of `energy`, of those of the data ``(*core,)`` or ``(N, *core)``."""
        own = [_of_rows(p, n, self.rows) for p, n in zip(params, cores, strict=True)]
        return [*own, pt.constant(self.seen), pt.constant(self.places)]


@dataclass(frozen=True, eq=False)
class Missing:
    """Data with holes, and what completes them.

    Attributes
    ----------
    data : ndarray
        ``(N, *event)``, NaN or `CODE` where an entry is missing.
    filled : ndarray
        The same with any seen value in the holes.
    holes : ndarray of bool
        ``(N, *event)``.
    groups : tuple of Completions
        Events without any entry are in none of them.
    """

    data: NDArray
    filled: NDArray
    holes: NDArray
    groups: tuple[Completions, ...]

    @property
    def complete(self) -> NDArray:
        """Which events have no hole, ``(N,)``."""
        return ~self.holes.reshape(len(self.holes), -1).any(axis=1)

    def are_of(self, value: Variable) -> bool:
        """Whether a value of the variable is these data."""
        return is_constant(value, self.data)

    def logp(self, energies, log_z, params: Sequence, cores: Sequence[int]) -> Variable:
        """Log-likelihood of what was seen, ``(N,)``.

        Parameters
        ----------
        energies : TensorVariable
            Of the data with any values in their holes, ``(N,)``.
        log_z : TensorVariable
            Of all events, ``(N,)`` or a single one.
        params : sequence of TensorVariable
        cores : sequence of int
        """
        log_mass = pt.switch(pt.constant(self.complete), -energies, 0.0).astype("float64")
        nothing = self.holes.reshape(len(self.holes), -1).all(axis=1)
        for group in self.groups:
            own = log_partition(
                group.energy, *group.params(params, cores), reference=group.reference
            )
            log_mass = log_mass[group.rows].set(own)
        return pt.switch(pt.constant(nothing), 0.0, log_mass - log_z)


def missing_entries(
    data: NDArray,
    holes: NDArray,
    energy: Energy,
    params: Sequence,
    reference: Reference,
    moving=None,
) -> Missing:
    """The completions of data ``(N, *event)``, whose holes have any seen value.

    Raises
    ------
    NotImplementedError
        A space whose entries are bound to one another, or more completions than can be summed.
    """
    event, space = data.shape[1:], reference.space
    if len(event) != len(reference.event_shape) or reference.n_rows or moving is not None:
        raise NotImplementedError(
            f"entries of data of shape {holes.shape} are missing, which have more than one batch "
            "axis, or a space of each row's own. Leave out the events with holes."
        )
    flat, mask = data.reshape(len(data), -1), holes.reshape(len(data), -1)
    sums = isinstance(space, Sites)
    theta = [] if sums else likely_values(energy, params, data, holes, reference)
    groups: dict[tuple, list[int]] = {}
    for r in np.flatnonzero(mask.any(axis=1) & ~mask.all(axis=1)):
        groups.setdefault(_kind(space, mask[r]), []).append(int(r))
    dtype = "int64" if space.discrete else "float64"
    coded = np.where(holes, CODE if space.discrete else np.nan, data).astype(dtype)
    found = []
    for rows in groups.values():
        some = np.array(rows)
        own = mask[some]
        where = np.array([np.flatnonzero(m) for m in own])
        places = (where[..., None] == np.arange(mask.shape[1])).astype(dtype)
        seen = np.where(own, 0, flat[some]).astype(dtype)
        of_holes = _energy_of_holes(energy, event, len(params))
        completions = Completions(some, of_holes, seen, places, reference)
        anchors = _anchors(completions, theta, energy.cores(len(params)))
        q = completing(space, own[0], flat, mask, of_holes, anchors)
        found.append(Completions(some, of_holes, seen, places, q))
    return Missing(coded, data.astype(dtype), holes, tuple(found))


def _kind(space: Space, mask: NDArray) -> tuple:
    """What events must have in common so that their completions are of one space."""
    _check_kind(space)
    if isinstance(space, Sites):
        values = (space.values[i, :n] for i, n in enumerate(space.n_values) if mask[i])
        return tuple(tuple(v.tolist()) for v in values)
    return tuple(np.flatnonzero(mask).tolist())


def _check_kind(space: Space) -> None:
    if isinstance(space, WholeNumbers):
        raise NotImplementedError(
            f"entries of events of {space} are missing, and there is no sum without an end over "
            "them. Say which values there can be, support=(low, high), or leave out the events "
            "with holes."
        )
    if not isinstance(space, Sites) and type(space) is not Support:
        raise NotImplementedError(
            f"entries of events of {space} are missing, and they are bound to one another. Leave "
            "out the events with holes."
        )


def _energy_of_holes(energy: Energy, event: tuple[int, ...], n_params: int) -> Energy:
    """E of completions; its signature has the seen values and the places behind θ."""

    def of_holes(z, *params):
        *theta, seen, places = params
        x = seen + (z[:, :, None] * places).sum(axis=1)
        return energy(x.reshape((-1, *event)), *theta)

    return Energy(of_holes, signature_of([*energy.cores(n_params), 1, 2]))


def _anchors(group: Completions, theta: list[list[NDArray]], cores: Sequence[int]) -> list[list]:
    """Rows of the parameters of completions at each θ, of more events at the first."""
    found: list[list] = []
    for k, values in enumerate(theta):
        found.append([])
        most = _ANCHORS if k == 0 else _ANCHORS // 4
        for i in np.unique(np.linspace(0, len(group.rows) - 1, most).astype(int)):
            own = [_of_rows(v, n, group.rows[i]) for v, n in zip(values, cores, strict=True)]
            found[-1].append([*own, group.seen[i], group.places[i]])
    return found


def _of_rows(param, core_ndim: int, rows):
    """A parameter of some events, of which one that they share has none or a single row."""
    if param.ndim == core_ndim:
        return param
    shared = param.shape[0] if isinstance(param, np.ndarray) else param.type.shape[0]
    return param[0] if shared == 1 else param[rows]
