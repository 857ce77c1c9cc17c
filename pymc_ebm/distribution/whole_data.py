"""Data that `pm.set_data` may set anew: values that are missing are refused there."""

from __future__ import annotations

import numpy as np
from pytensor.compile import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.type import TensorType

__all__ = ["keep_whole"]


def keep_whole(observed, name: str) -> None:
    """Refuse NaN and masked values wherever the data behind an observed variable are set anew.

    PyMC hands a masked array on, of which a compiled function says that its type is unknown.
    """
    for data in graph_inputs([observed]) if isinstance(observed, Variable) else []:
        if isinstance(data, SharedVariable) and isinstance(data.type, TensorType):
            data.container.type = _Whole(data.type, f"EBM {name!r}: {data.name!r}")


class _Whole(TensorType):
    """The type of observed data: arrays without missing values."""

    def __init__(self, of: TensorType, data: str):
        super().__init__(of.dtype, of.shape)
        self._data = data

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
        return super().filter(data, **kwargs)
