"""`PointEstimate`: what every method of `find_MLE` returns."""

from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from pymc_ebm.numbers import number
from pymc_ebm.printing import BAD, GOOD, Printed, name_lines, table

__all__ = ["PointEstimate"]


@dataclass(frozen=True, eq=False, repr=False)
class PointEstimate(Printed):
    """A maximum-likelihood (or other) estimate with its two errors.

    Attributes
    ----------
    method : str
    estimate : dict of ndarray
        By variable name, in the constrained space of the model.
    se : dict of ndarray
        Standard errors of sampling: how much the estimate varies from data set to data set.
        Inverse Hessian for likelihoods, Godambe's sandwich for other objectives; with the prior,
        the posterior sd in Laplace's approximation.
    mcse : dict of ndarray
        Monte Carlo standard errors that the reference, or the draws, add; 0 where they are exact.
        Linearised, so too small where a few points carry the estimate: by a fifth at a k-hat of
        0.75 in a lattice with a reference of independent sites.
    objective : float
        The minimised function at the estimate, in nats for likelihoods.
    converged : bool
    reason : str
        Why the iterations stopped.
    trace : dict of ndarray
        ``(T, ...)`` by variable name: the estimate after every iteration, the start first. log Z
        has an estimate with some methods, and no trace.
    dims : dict of tuple of str
        Dimensions of the variables in the model.
    coords : dict
        Coordinates of these dimensions.
    """

    method: str
    estimate: dict[str, NDArray]
    se: dict[str, NDArray]
    mcse: dict[str, NDArray]
    objective: float
    converged: bool
    reason: str
    trace: dict[str, NDArray]
    dims: dict[str, tuple[str, ...]] = field(default_factory=dict)
    coords: dict[str, NDArray] = field(default_factory=dict)

    def to_datatree(self) -> xr.DataTree:
        """Group ``estimate`` with dimension ``statistic`` (estimate, se, mcse), and ``trace``.

        Returns
        -------
        xr.DataTree
            Both groups have the attributes method, objective, converged and reason.
        """
        statistics = ["estimate", "se", "mcse"]
        values, traces = {}, {}
        for name, value in self.estimate.items():
            dims = self.dims.get(name) or tuple(f"{name}_dim_{i}" for i in range(np.ndim(value)))
            stacked = np.stack([value, self.se[name], self.mcse[name]])
            values[name] = (("statistic", *dims), stacked)
            if name in self.trace:
                traces[name] = (("iteration", *dims), self.trace[name])
        attributes = {
            "method": self.method,
            "objective": self.objective,
            "converged": int(self.converged),  # file formats have no booleans for attributes
            "reason": self.reason,
        }
        used = {dim for dims, _ in values.values() for dim in dims}
        coords = {dim: labels for dim, labels in self.coords.items() if dim in used}
        return xr.DataTree.from_dict(
            {
                "estimate": xr.Dataset(
                    values, coords={**coords, "statistic": statistics}, attrs=attributes
                ),
                "trace": xr.Dataset(traces, coords=coords, attrs=attributes),
            }
        )

    def __rich__(self) -> RenderableType:
        """Verdict and why, then one line for every element of every variable."""
        rows = table("", "estimate", "se", "mcse")
        for name, value in self.estimate.items():
            for index in np.ndindex(value.shape):
                label = f"{name}[{', '.join(self._labels(name, index))}]" if index else name
                errors = [number(error[name][index]) for error in (self.se, self.mcse)]
                rows.add_row(name_lines(label), number(value[index], digits=4), *errors)
        state = "converged" if self.converged else "NOT converged"
        style = GOOD if self.converged else BAD
        why = self.reason[:1].upper() + self.reason[1:]
        return Group(Text(f"{self.method}: {state}. {why}", style=style), "", rows)

    def _labels(self, name, index):
        dims = self.dims.get(name, (None,) * len(index))
        return [
            str(self.coords[dim][i]) if dim in self.coords else str(i)
            for dim, i in zip(dims, index, strict=True)
        ]
