r"""What log densities of sites are sums of, by their graph.

.. math:: \log p(y_i \mid v, φ) = \sum_j F_{ij} h_{jv}(φ)

The features F are of the data and covariates of a site alone, and h the same for all sites.
Exponential families are such sums at every φ. Values at some φ cannot tell: those of heavy tails
are as good as such sums wherever all data are far.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.logprob.utils import CheckParameterValue
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import graph_inputs, toposort
from pytensor.scalar import basic as ps
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.linalg.solvers.triangular import SolveTriangular
from pytensor.tensor.math import Sum
from pytensor.tensor.shape import Shape, Shape_i
from scipy import linalg

from pymc_ebm.distribution.hidden.emission import IMPOSSIBLE
from pymc_ebm.energy.split import evaluate

__all__ = ["features_of", "independent_columns"]

# Sites that have as many different values or fewer are told apart by them.
_MOST_VALUES = 32


class _Sum(NamedTuple):
    """Σ_j F_j h_j of one variable.

    Attributes
    ----------
    features : ndarray, shape ``(J, D or 1, *channels)``
    value : ndarray or None
        Where no parameter enters: the variable itself.
    """

    features: NDArray
    value: NDArray | None = None


def features_of(log_density: Variable, of_sites: Mapping[Variable, NDArray]) -> NDArray | None:
    """Features of the log densities of all sites, ``(D, J)``; None where the graph tells none.

    Parameters
    ----------
    log_density : TensorVariable
        ``(n,)``, elementwise in what is known of sites besides sums over channels. n is no size
        of anything else, so that no parameter differs between sites.
    of_sites : mapping of TensorVariable to ndarray
        Data and covariates ``(n, *channels)``, and their values ``(D, *channels)``.
    """
    n_sites = len(next(iter(of_sites.values())))
    dependent = _depends(log_density, of_sites)
    seen: dict[Variable, _Sum | None] = {v: _number(a) for v, a in of_sites.items()}

    def of(variable) -> _Sum | None:
        if variable not in seen:
            found = step(variable) if variable in dependent else _of_parameters(variable)
            seen[variable] = None if found is None else _in_short(found)
        return seen[variable]

    def step(variable) -> _Sum | None:
        node = variable.owner
        if isinstance(node.op, CheckParameterValue):
            return of(node.inputs[0])
        found = [of(v) for v in node.inputs]
        if any(f is None for f in found):
            return None
        parts = [f for f in found if f is not None]
        one_by_one = isinstance(node.op, Elemwise | DimShuffle) or (
            isinstance(node.op, CAReduce) and node.op.axis is not None and 0 not in node.op.axis
        )
        if one_by_one and all(p.value is not None for p in parts):
            return _number(evaluate([node.op(*[pt.constant(p.value) for p in parts])])[0])
        if isinstance(node.op, Elemwise):
            match node.op.scalar_op:
                case ps.Exp() if (offset := of_offset(node.inputs[0].owner)) is not None:
                    return _Sum(np.exp(offset)[None])
                case ps.EQ() | ps.NEQ() | ps.LT() | ps.LE() | ps.GT() | ps.GE() if at_once(node):
                    return _ones(variable)
            return _elementwise(node, parts)
        if isinstance(node.op, DimShuffle):
            order = node.op.new_order
            if not order or order[0] != 0:
                return None
            here = parts[0].features.transpose(0, *(1 + a for a in order if a != "x"))
            new = tuple(1 + k for k, a in enumerate(order) if a == "x")
            return _Sum(np.expand_dims(here, new))
        return _over_channels(node, parts, dependent)

    def of_offset(sum_) -> NDArray | None:
        """Σ a of a sum a_i + b, of which exp is exp(a_i) exp(b): a of sites, b the same for all."""
        if (
            sum_ is None
            or not isinstance(sum_.op, Elemwise)
            or not isinstance(sum_.op.scalar_op, ps.Add)
        ):
            return None
        offsets = [of(v) for v in sum_.inputs if v in dependent]
        values = [None if found is None else found.value for found in offsets]
        known = [v for v in values if v is not None]
        return np.add.reduce(np.broadcast_arrays(*known)) if len(known) == len(values) else None

    def at_once(node) -> bool:
        """Whether a comparison is true or false for all sites together: of F_i h with 0, F > 0."""
        left, right = node.inputs
        if right in dependent or not all(isinstance(v, Constant) for v in graph_inputs([right])):
            return False
        [bound] = evaluate([right])
        logarithm = left.owner is not None and getattr(left.owner.op, "scalar_op", None)
        if isinstance(logarithm, ps.Log) and (bound == -np.inf).all():
            left, bound = left.owner.inputs[0], np.zeros(1)
        found = of(left) if left in dependent else None
        if found is None or (bound != 0).any():
            return False
        return len(found.features) == 1 and bool((found.features > 0).all())

    found = of(log_density)
    if found is None and len(of_sites) == 1:
        found = _by_values([a[None].astype(float) for a in of_sites.values()])
    if found is None:
        return None
    return np.broadcast_to(found.features, (len(found.features), n_sites)).T


def _depends(variable, on: Iterable[Variable]) -> set[Variable]:
    """What is made of the numbers of sites, and not of how many there are."""
    found = set(on)
    for node in toposort([variable], blockers=list(on)):
        if not isinstance(node.op, Shape | Shape_i) and not found.isdisjoint(node.inputs):
            found.update(node.outputs)
    return found


def _ones(variable) -> _Sum:
    return _Sum(np.ones((1, *[1] * variable.type.ndim)))


def _number(value: NDArray) -> _Sum:
    return _Sum(value[None].astype(float), value)


def _of_parameters(variable) -> _Sum | None:
    """What is the same for all sites: one feature of ones, or the number itself."""
    if not all(isinstance(v, Constant) for v in graph_inputs([variable])):
        return _ones(variable)
    [value] = evaluate([variable])
    if value.ndim:
        if not (value == value[:1]).all():
            return None  # a number for each place in a row of sites
        value = value[:1]
    # What is infinite is no feature, and may be its factor.
    return _number(value) if np.isfinite(value).all() else _ones(variable)


def _elementwise(node, parts: list[_Sum]) -> _Sum | None:
    features, dtype = [p.features for p in parts], node.outputs[0].dtype
    match node.op.scalar_op:
        case ps.Add() | ps.Sub() if dtype == "float64":
            return _Sum(_joined(features))
        case ps.Neg() | ps.Identity() if dtype == "float64":
            return _Sum(features[0])
        case ps.Cast() if dtype == "float64":
            return _Sum(features[0])
        case ps.Second():
            return _Sum(features[1])
        case ps.Mul() | ps.AND() if dtype in ("float64", "bool"):
            product = features[0]
            for other in features[1:]:
                product = _times(product, other)
            return _Sum(product)
        case ps.Sqr():
            return _Sum(_times(features[0], features[0]))
        case ps.Pow() if parts[1].value is not None and (parts[1].value == 2).all():
            return _Sum(_times(features[0], features[0]))
        case ps.Reciprocal() if len(features[0]) == 1 and features[0].all():
            return _Sum(1 / features[0])
        case ps.TrueDiv() if len(features[1]) == 1 and features[1].all():
            return _Sum(_times(features[0], 1 / features[1]))
        case ps.Log() if len(features[0]) == 1 and (features[0] > 0).all():
            return _Sum(_joined([np.log(features[0]), np.ones_like(features[0])]))
        # What is impossible is judged where it is used.
        case ps.ScalarMaximum() if (
            parts[1].value is not None and (parts[1].value == IMPOSSIBLE).all()
        ):
            return _Sum(features[0])
        case ps.Switch() if (condition := parts[0].value) is not None:
            chosen = condition[None] != 0
            return _Sum(_joined([chosen * features[1], ~chosen * features[2]]))
        case ps.Switch() if node.inputs[0].dtype == "bool":
            changes = [_times(features[0], f) for f in features[1:]]
            return _Sum(_joined([*changes, features[2]]))
    return _by_values(features)


def _over_channels(node, parts: list[_Sum], dependent: set[Variable]) -> _Sum | None:
    """Sums over channels, and solutions of triangular systems of parameters."""
    op, rest = node.op, node.outputs[0].type.ndim - 1
    if isinstance(op, Sum) and op.axis is not None and 0 not in op.axis and rest == 0:
        return _Sum(_each_channel(parts[0].features))
    core = op.core_op if isinstance(op, Blockwise) else op
    if isinstance(core, SolveTriangular) and core.b_ndim == rest == 1:
        if node.inputs[0] not in dependent:
            return _Sum(_each_channel(parts[1].features)[..., None])
    return None


def _each_channel(features: NDArray) -> NDArray:
    """Features ``(J, D, *channels)`` as ones without channels, whose h differ instead."""
    return np.moveaxis(features.reshape(*features.shape[:2], -1), 2, 1).reshape(
        -1, features.shape[1]
    )


def _by_values(features: list[NDArray]) -> _Sum | None:
    """One feature for each value that sites have: of any function of few."""
    shape = np.broadcast_shapes(*(f.shape[1:] for f in features))
    n, columns = shape[0], [np.broadcast_to(f, (len(f), *shape)) for f in features]
    rows = np.concatenate([np.moveaxis(c, 1, 0).reshape(n, -1) for c in columns], axis=1)
    # Equal sites have features that are equal but for rounding.
    rows = (rows / np.abs(rows).max(axis=0, initial=1e-300)).round(13)
    distinct, which = np.unique(rows, axis=0, return_inverse=True)
    if len(distinct) > _MOST_VALUES:
        return None
    found = (which.ravel() == np.arange(len(distinct))[:, None]).astype(float)
    return _Sum(found.reshape(len(found), n, *[1] * (len(shape) - 1)))


def independent_columns(columns: NDArray) -> NDArray | None:
    """Which of some columns ``(D, J)`` the others are sums of; None where that is not clear."""
    size = np.linalg.norm(columns, axis=0)
    [some] = np.nonzero(size)
    if not some.size:
        return some
    _, r, order = linalg.qr(columns[:, some] / size[some], mode="economic", pivoting=True)
    heights = np.abs(np.diag(r))
    if ((heights > 1e-11) & (heights < 1e-7)).any():
        return None
    return np.sort(some[order[: (heights >= 1e-7).sum()]])


def _times(a: NDArray, b: NDArray) -> NDArray:
    product = a[:, None] * b[None]
    return product.reshape(-1, *product.shape[2:])


def _joined(features: list[NDArray]) -> NDArray:
    shape = np.broadcast_shapes(*(f.shape[1:] for f in features))
    return np.concatenate([np.broadcast_to(f, (len(f), *shape)) for f in features])


def _in_short(found: _Sum) -> _Sum | None:
    """The same sums of orthonormal features, so that products of sums lose no digits."""
    f = found.features
    if not np.isfinite(f).all():
        return None
    if len(f) == 1 or f[0, 0].size > 1:
        return found if len(f) <= _MOST_VALUES**2 else None
    columns = f.reshape(len(f), -1).T
    kept = independent_columns(columns)
    if kept is None:
        return None
    q = np.linalg.qr(columns[:, kept] / np.linalg.norm(columns[:, kept], axis=0))[0]
    return _Sum(np.ascontiguousarray(q.T).reshape(-1, *f.shape[1:]))
