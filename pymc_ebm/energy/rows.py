"""Rows of batched parameters: which are distinct, and how to go back to all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Constant, Variable
from pytensor.tensor.basic import Alloc, MakeVector
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor
from pytensor.tensor.variable import TensorVariable

__all__ = ["ParameterRows", "distinct_rows"]


@dataclass(frozen=True, eq=False)
class ParameterRows:
    """Parameters of a joint batch shape, equal rows once.

    Attributes
    ----------
    distinct : list
        Each parameter of the distinct rows: graphs ``(*batch, *core)``, or arrays ``(K, *core)``.
    kinds : ndarray of int or None
        ``(R,)``, which of the distinct rows each row of the batch is; None where graphs do not
        tell of any that are the same.
    batch : tuple of int or None
        Of arrays: the joint batch shape.

    Examples
    --------
    >>> rows = ParameterRows.of_values([np.array([1.0, 2.0, 1.0]), 5.0], (0, 0))
    >>> len(rows), rows.kinds.tolist(), [float(v) for v in rows.row(1)]
    (2, [0, 1, 0], [2.0, 5.0])
    >>> rows.back(np.array([10.0, 20.0])).tolist()
    [10.0, 20.0, 10.0]
    """

    distinct: list[Any]
    kinds: Any
    batch: Any = None

    @classmethod
    def of_graphs(
        cls, variables: Sequence[TensorVariable], cores: Sequence[int], n_rows: int | None = None
    ) -> ParameterRows:
        """Rows that are the same whatever the parameters' values are (see `distinct_rows`).

        With `n_rows` none are, and that is the length of the last batch axis.
        """
        if n_rows is not None:
            return cls(_of_joint_batch(variables, cores, n_rows), None)
        ranks = {p.ndim - n for p, n in zip(variables, cores, strict=True)}
        same = None
        if ranks in ({1}, {0, 1}):
            same = distinct_rows([p for p, n in zip(variables, cores, strict=True) if p.ndim > n])
        if same is None:
            return cls(_of_joint_batch(variables, cores), None)
        first, kinds = same
        variables = [
            p[first] if p.ndim > n and not p.type.broadcastable[0] else p
            for p, n in zip(variables, cores, strict=True)
        ]
        return cls(_of_joint_batch(variables, cores), kinds)

    @classmethod
    def of_values(
        cls, values: Sequence, cores: Sequence[int], batch: tuple[int, ...] = ()
    ) -> ParameterRows:
        """Rows of equal numbers, of the joint batch shape of the values and `batch`."""
        shapes = [np.shape(v)[: np.ndim(v) - n] for v, n in zip(values, cores, strict=True)]
        batch = np.broadcast_shapes(batch, *shapes)
        n_rows = math.prod(batch)
        flat = []
        for v, shape in zip(values, shapes, strict=True):
            core = np.shape(v)[len(shape) :]
            flat.append(np.broadcast_to(v, (*batch, *core)).reshape(n_rows, *core))
        if not any(math.prod(shape) > 1 for shape in shapes):
            return cls([v[:1] for v in flat], np.zeros(n_rows, dtype=int), batch)
        table = np.column_stack([v.reshape(n_rows, -1) for v in flat])
        # Numbers are sorted five times as fast as rows of one number.
        table, axis = (table.ravel(), None) if table.shape[1] == 1 else (table, 0)
        _, first, kinds = np.unique(table, axis=axis, return_index=True, return_inverse=True)
        order = np.argsort(first)  # in order of appearance
        kinds = np.argsort(order)[kinds.ravel()]
        return cls([v[first[order]] for v in flat], kinds, batch)

    def __len__(self) -> int:
        """Number of distinct rows of arrays."""
        return 0 if self.kinds is None or not len(self.kinds) else int(self.kinds.max()) + 1

    def row(self, kind: int) -> list[NDArray]:
        """Values of one of the distinct rows, each of its core shape."""
        return [v[kind] for v in self.distinct]

    def back(self, values):
        """Values of the distinct rows, ``(K, ...)``, as those of all rows, ``(*batch, ...)``."""
        if self.kinds is None:
            return values
        found = values[self.kinds]
        return found if self.batch is None else found.reshape((*self.batch, *found.shape[1:]))


def distinct_rows(variables: Sequence[Variable]) -> tuple[np.ndarray, np.ndarray] | None:
    """First row of each kind, and the kind of every row, of parameters batched along axis 0.

    Two rows are of one kind when the graph computes them from the same constants: the same group
    index in ``mu[group]``, the same covariates in ``a + b * x``. Values play no part, as rows
    that are equal by chance have different derivatives.

    Parameters
    ----------
    variables : sequence of TensorVariable
        Each ``(R, ...)`` or ``(1, ...)``.

    Returns
    -------
    first, kind : ndarray of int
        ``(K,)`` and ``(R,)``, so that ``variable[first][kind]`` is the variable. None when the
        rows are all different, or when the graph does not tell.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> first, kind = distinct_rows([pt.dvector("mu")[[0, 1, 1, 0]]])
    >>> first.tolist(), kind.tolist()
    ([0, 1], [0, 1, 1, 0])
    """
    try:
        origins = [o for o in map(_origin, variables) if o is not None]
    except _Unknown:
        return None
    if not origins or len({len(o) for o in origins}) > 1:
        return None
    _, first, kind = np.unique(
        np.concatenate(origins, axis=1), axis=0, return_index=True, return_inverse=True
    )
    return (first, kind.ravel()) if len(first) < len(kind) else None


class _Unknown(Exception):
    """Raised where the rows of a variable cannot be told from its graph."""


def _origin(variable) -> np.ndarray | None:
    """Constants ``(R, k)`` that decide each row; None where axis 0 is only broadcast."""
    if variable.type.ndim == 0 or variable.type.broadcastable[0]:
        return None
    if isinstance(variable, Constant):
        return np.asarray(variable.data, dtype=float).reshape(len(variable.data), -1)
    if variable.owner is None:
        raise _Unknown
    inputs = variable.owner.inputs
    match variable.owner.op:
        case Elemwise():
            origins = [o for o in map(_origin, inputs) if o is not None]
            if origins and len({len(o) for o in origins}) == 1:
                return np.concatenate(origins, axis=1)
        case DimShuffle(new_order=(0, *_)):
            return _origin(inputs[0])
        case MakeVector():  # which PyTensor also makes of ``pt.stack([a, b])[group]``
            kinds: dict[Variable, int] = {}
            return np.array([[kinds.setdefault(i, len(kinds))] for i in inputs], dtype=float)
        case Alloc() if inputs[0].type.ndim == variable.type.ndim:
            return _origin(inputs[0])
        case Dot() | Blockwise(core_op=Dot()) if all(i.type.ndim <= 2 for i in inputs):
            return _origin(inputs[0])
        case Subtensor(idx_list=(first, *_)) if first == slice(None):
            return _origin(inputs[0])
        case AdvancedSubtensor(idx_list=(0,)) if isinstance(inputs[1], Constant):
            index = np.asarray(inputs[1].data)
            if index.ndim == 1 and index.dtype.kind in "iu":
                return index.astype(float)[:, None]
    raise _Unknown


def _of_joint_batch(
    variables: Sequence, cores: Sequence[int], n_rows: int | None = None
) -> list[TensorVariable]:
    """Give every parameter the joint batch shape, so that each row has its own derivative."""
    lengths = {p.type.shape[p.ndim - n - 1] for p, n in zip(variables, cores, strict=True)
               if p.ndim > n} - {None, 1}  # fmt: skip
    if n_rows is not None and not lengths <= {n_rows}:
        raise ValueError(
            f"The parameters have {min(lengths - {n_rows})} rows on their last batch axis, and the "
            f"reference has points of {n_rows} rows. Give one row of parameters for each, or one "
            "for all."
        )
    if n_rows is None and all(p.ndim == n for p, n in zip(variables, cores, strict=True)):
        return list(variables)
    heads = [p[(..., *[0] * n)] if n else p for p, n in zip(variables, cores, strict=True)]
    # The values of the heads are not read, only their joint shape.
    joint = pt.broadcast_arrays(*heads, *([] if n_rows is None else [pt.zeros(n_rows)]))[-1]
    shape = [joint.shape[i] for i in range(joint.ndim)]
    return [
        pt.broadcast_to(p, (*shape, *[p.shape[p.ndim - n + i] for i in range(n)]))
        for p, n in zip(variables, cores, strict=True)
    ]
