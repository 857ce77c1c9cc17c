"""Rows of batched parameters that are the same whatever the parameters' values are."""

from collections.abc import Sequence

import numpy as np
from pytensor.graph.basic import Constant, Variable
from pytensor.tensor.basic import Alloc, MakeVector
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor

__all__ = ["distinct_rows"]


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
