"""Energy-based likelihoods in PyMC, with an estimated normaliser and an account of its error."""

from importlib import import_module
from typing import TYPE_CHECKING

from pymc_ebm import kernels, reference
from pymc_ebm.distribution import EBM
from pymc_ebm.log_partition import LogPartition, log_partition

if TYPE_CHECKING:
    from pymc_ebm import diagnostics, distributed, energies, fitting, plots, sampling
    from pymc_ebm.diagnostics.better_reference import better_reference
    from pymc_ebm.diagnostics.check import check
    from pymc_ebm.diagnostics.reference_report import ReferenceReport
    from pymc_ebm.diagnostics.reference_stats import compute_reference_stats
    from pymc_ebm.diagnostics.refine import refine
    from pymc_ebm.diagnostics.replace_reference import replace_reference
    from pymc_ebm.diagnostics.report import report
    from pymc_ebm.exchange import ExchangeMetropolis
    from pymc_ebm.fitting import PointEstimate, find_MLE

__all__ = [
    "EBM",
    "ExchangeMetropolis",
    "LogPartition",
    "PointEstimate",
    "ReferenceReport",
    "better_reference",
    "check",
    "compute_reference_stats",
    "diagnostics",
    "distributed",
    "energies",
    "find_MLE",
    "fitting",
    "kernels",
    "log_partition",
    "plots",
    "reference",
    "refine",
    "replace_reference",
    "report",
    "sampling",
]

__version__ = "0.1.0"

# ArviZ, Matplotlib, numba and SciPy together take longer to import than PyMC, so what needs them
# is imported when it is first asked for.
_ROOMS = {"diagnostics", "distributed", "energies", "fitting", "plots", "sampling"}
_ROOM_OF = {
    "ExchangeMetropolis": "exchange",
    "PointEstimate": "fitting",
    "ReferenceReport": "diagnostics",
    "better_reference": "diagnostics",
    "check": "diagnostics",
    "compute_reference_stats": "diagnostics",
    "find_MLE": "fitting",
    "refine": "diagnostics",
    "replace_reference": "diagnostics",
    "report": "diagnostics",
}


def __getattr__(name: str):
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name in _ROOM_OF:
        return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
