"""Data that `pm.set_data` may set anew: what no likelihood is known of is refused there."""

from __future__ import annotations

import numpy as np
from pytensor.compile import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import graph_inputs
from pytensor.scalar.basic import Cast
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.type import TensorType

from pymc_ebm.reference.base import Reference

__all__ = ["keep_whole"]


def keep_whole(observed, name: str, reference: Reference) -> None:
    """Refuse other data than events without holes wherever they are set anew.

    NaN and masked values are refused in all data behind an observed variable: PyMC hands a masked
    array on, of which a compiled function says that its type is unknown. The shape is that of
    events, and of as many rows as the reference has, where the variable is the data themselves.

    Parameters
    ----------
    observed : object
    name : str
        Of the variable.
    reference : Reference
    """
    rows = () if reference.n_rows is None else (reference.n_rows,)
    for data in graph_inputs([observed]) if isinstance(observed, Variable) else []:
        if isinstance(data, SharedVariable) and isinstance(data.type, TensorType):
            themselves = data is _before_cast(observed)
            data.container.type = _Whole(
                data.type,
                f"EBM {name!r}: {data.name!r}",
                (*rows, *reference.event_shape) if themselves else (),
            )


def _before_cast(observed: Variable) -> Variable:
    node = observed.owner
    if node is None or not isinstance(node.op, Elemwise) or not isinstance(node.op.scalar_op, Cast):
        return observed
    return node.inputs[0]


class _Whole(TensorType):
    """The type of observed data: arrays of events without missing values.

    Parameters
    ----------
    of : TensorType
    data : str
        What to call them.
    last : tuple of int
        The lengths of their last axes.
    """

    def __init__(self, of: TensorType, data: str, last: tuple[int, ...]):
        super().__init__(of.dtype, of.shape)
        self._data, self._last = data, last

    def filter(self, data, **kwargs):
        missing = np.ma.getmaskarray(data)
        if np.asarray(data).dtype.kind == "f":
            missing = missing | np.isnan(np.ma.getdata(data))
        if missing.any():
            first = tuple(int(i) for i in np.argwhere(missing)[0])
            raise ValueError(
                f"{self._data} gets {missing.sum()} of {missing.size} values that are NaN or "
                f"masked, the first at index {first}. Leave them out; missing entries of events "
                "belong into observed= of a model."
            )
        shape = np.shape(data)
        if shape[len(shape) - len(self._last) :] != self._last:
            raise ValueError(
                f"{self._data} gets data of shape {shape}, whose last axes must be those of "
                f"the reference, {self._last}. Write a model with a reference of such data."
            )
        return super().filter(data, **kwargs)
