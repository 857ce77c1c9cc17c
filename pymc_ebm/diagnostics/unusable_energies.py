"""Energies that no estimate can be made of, and more of them than memory holds."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.sums.log_weights import LogWeights
from pymc_ebm.memory import physical_memory
from pymc_ebm.numbers import number, percent

__all__ = ["EnergyFaults"]


Fault = tuple[list[str], list[str]]


class EnergyFaults:
    """What is wrong with the energies of the points of a model's references.

    Parameters
    ----------
    normalisers : Normalisers
        Of the model; a point has values on their scale.
    """

    def __init__(self, normalisers: Normalisers):
        self._log_weights = {n.name: LogWeights(n) for n in normalisers}
        self._parameters = normalisers.compile(
            [p for log_weights in self._log_weights.values() for p in log_weights.parameters]
        )

    def memory(self, point: Mapping[str, NDArray]) -> Fault | None:
        """Reasons and remedies where the energies need more than the machine has."""
        # Arrays of all energies that the value and the gradient of log Ẑ hold at a time, at 8
        # bytes.
        arrays = 8
        reasons, remedies = [], []
        available = physical_memory()
        for name, log_weights, values in self._at(point):
            if log_weights.streams and log_weights.reference.by_blocks:
                continue
            n_rows, n_points = log_weights.n_rows(values), log_weights.reference.points_per_row
            needed = 8 * arrays * n_rows * n_points
            if needed > available:
                fits = int(available / (8 * arrays * n_rows))
                reasons.append(
                    f"The energies of {name}, {n_points:,} points for each of {n_rows:,} rows of "
                    f"parameters, need about {number(needed / 2**30)} GiB, and this machine has "
                    f"{number(available / 2**30)} GiB."
                )
                remedies.append(f"Use at most {fits:,} draws for the reference of {name}.")
        return (reasons, remedies) if reasons else None

    def energies(self, point: Mapping[str, NDArray], where: str) -> Fault | None:
        """Reasons and remedies where energies are NaN, or +inf at all points."""
        reasons, remedies = [], []
        for name, log_weights, values in self._at(point):
            n_points, n_rows = log_weights.reference.points_per_row, log_weights.n_rows(values)
            bad, weightless = np.zeros(n_points, dtype=bool), np.ones(n_rows, dtype=bool)
            for points, block in log_weights.parts(values):
                bad[points] = np.isnan(block).any(axis=0)
                weightless &= np.isneginf(block).all(axis=1)
            if bad.any():
                reasons.append(
                    f"The energy of {name} is NaN at {bad.sum():,} of {n_points:,} points "
                    f"({percent(bad.mean())}), the first with index {int(bad.argmax())}, at "
                    f"{where}."
                )
                remedies.append(
                    "Guard the argument of its log, root or ratio with pt.switch, or limit the "
                    "space by support= or the parameters by their prior, initval= or domain=."
                )
            elif weightless.any():
                rows = "" if n_rows == 1 else f" in {weightless.sum():,} of {n_rows:,} rows"
                reasons.append(
                    f"The reference of {name} misses the support: the energy is +inf at all "
                    f"{n_points:,} points{rows}, at {where}."
                )
                remedies.append(
                    f"Give {name} a reference with points where its energy is finite, or its "
                    "parameters initial values at which it is."
                )
        return (reasons, remedies) if reasons else None

    def slopes(self, point: Mapping[str, NDArray], where: str) -> Fault | None:
        """Reasons and remedies where an energy has a value and its slope by a parameter is NaN."""
        for name, log_weights, values in self._at(point):
            index = log_weights.without_slope(values)
            if index is None:
                continue
            place = np.array2string(log_weights.reference.points[index], precision=4, threshold=6)
            return (
                [
                    f"The slope of the energy of {name} by its parameters is NaN at {place}, a "
                    f"point of its reference, at {where}."
                ],
                [
                    "Write what underflows there in logs, such as pt.log(pt.erfcx(z)) - z**2 for "
                    "pt.log(pt.erfc(z)), or limit the space by support=."
                ],
            )
        return None

    def _at(self, point):
        outputs = self._parameters(point)
        first = 0
        for name, log_weights in self._log_weights.items():
            last = first + len(log_weights.parameters)
            yield name, log_weights, outputs[first:last]
            first = last
