"""What the parameters of an energy are: their core shapes, types and rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor import config
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.parameters import as_parameter, core_ndims, name_of
from pymc_ebm.energy.rows import ParameterRows

__all__ = ["TakesParameters"]


class TakesParameters:
    """Part of an `Energy`: all that its signature says."""

    signature: str | None

    def cores(self, n_params: int) -> tuple[int, ...]:
        """Number of core dimensions of each of so many parameters."""
        return core_ndims(self.signature, n_params)

    def core_types(self, params: Sequence) -> tuple[pt.TensorType, ...]:
        """Types of the parameters without their batch dimensions.

        Raises
        ------
        ValueError
            A parameter with fewer dimensions than its core.
        """
        variables = [as_parameter(p) for p in params]
        cores = self.cores(len(variables))
        for i, (p, n) in enumerate(zip(variables, cores, strict=True)):
            if p.ndim < n:
                raise ValueError(
                    f"{name_of(p, i)} has {p.ndim} dimensions, but the signature "
                    f"{self.signature!r} gives it {n}. Change the signature or the parameter."
                )
        return tuple(
            pt.TensorType(p.dtype, p.type.shape[p.ndim - n :])
            for p, n in zip(variables, cores, strict=True)
        )

    def row(self, params: Sequence) -> list[np.ndarray]:
        """One row of parameter values, each of its core shape.

        Raises
        ------
        ValueError
            A parameter with more or fewer dimensions than its core, or a value of NaN.

        Examples
        --------
        >>> from pymc_ebm.energy.energy import Energy
        >>> Energy(lambda x, a, b: a * x + b.sum(), "(),(k)").row([1.5, [0, 1]])
        [array(1.5), array([0., 1.])]
        """
        row = []
        for i, (value, ndim) in enumerate(zip(params, self.cores(len(params)), strict=True)):
            # Arrays keep their type, since an energy may use an integer as an index.
            typed = hasattr(value, "dtype")
            number = np.asarray(value) if typed else np.asarray(value, dtype=float)
            number = number if number.dtype.kind in "iub" else number.astype(config.floatX)
            if number.ndim != ndim:
                raise ValueError(
                    f"Parameter {i} has shape {number.shape}, and a row of parameters has {ndim} "
                    "dimensions there. Give one row of parameters at a time; for a vector "
                    "parameter write its signature, for example '(k)'."
                )
            if not np.isfinite(number).all():
                raise ValueError(
                    f"Parameter {i} is {np.array2string(number, threshold=6)}. Give finite "
                    "parameter values."
                )
            row.append(number)
        return row

    def alike(self, rows: Sequence[Sequence]) -> list[list[np.ndarray]]:
        """Each `row`, with every parameter of one type: 2 is 2.0 where another row has 2.5."""
        found = [self.row(params) for params in rows]
        types = [np.result_type(*values) for values in zip(*found, strict=True)]
        return [[v.astype(t) for v, t in zip(row, types, strict=True)] for row in found]

    def core_shapes(self, values: Sequence) -> list[tuple[int, ...]]:
        """Shapes of the parameters' values without their batch dimensions."""
        cores = self.cores(len(values))
        return [np.shape(v)[np.ndim(v) - n :] for v, n in zip(values, cores, strict=True)]

    def batch_shapes(self, values: Sequence) -> list[tuple[int, ...]]:
        """Batch dimensions of the parameters' values."""
        cores = self.cores(len(values))
        return [np.shape(v)[: np.ndim(v) - n] for v, n in zip(values, cores, strict=True)]

    def batched(self, params: Sequence[TensorVariable]) -> list[bool]:
        """Whether each parameter has batch dimensions."""
        return [p.ndim > n for p, n in zip(params, self.cores(len(params)), strict=True)]

    def rows(self, params: Sequence[TensorVariable], n_rows: int | None = None) -> ParameterRows:
        """The distinct rows of parameters' graphs, and how to go back to all of them.

        Parameters
        ----------
        params : sequence of TensorVariable
        n_rows : int, optional
            The last batch axis, of rows that differ in more than their parameters.
        """
        return ParameterRows.of_graphs(params, self.cores(len(params)), n_rows)

    def rows_of(self, values: Sequence, batch: tuple[int, ...] = ()) -> ParameterRows:
        """The distinct rows of parameters' values, for data of the batch shape `batch`."""
        return ParameterRows.of_values(values, self.cores(len(values)), batch)
