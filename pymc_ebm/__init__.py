"""Energy-based likelihoods in PyMC, with an estimated normaliser and an account of its error."""

from importlib import import_module

import pymc_ebm.kernels  # noqa: F401, turns the fast ways on
from pymc_ebm._version import __version__ as __version__

# Each public name with the room that it comes from; a room is a public name itself. ArviZ,
# Matplotlib, numba and SciPy together take longer to import than PyMC, so a room is imported when
# it is first asked for.
_FACE = {
    "EBM": "distribution",
    "ExchangeMetropolis": "exchange",
    "HiddenEBM": "distribution",
    "LogPartition": "partition",
    "PointEstimate": "fitting",
    "ReferenceReport": "diagnostics",
    "better_reference": "diagnostics",
    "check": "diagnostics",
    "compute_reference_stats": "diagnostics",
    "diagnostics": "",
    "distributed": "",
    "energies": "",
    "families": "",
    "find_MLE": "fitting",
    "fitting": "",
    "hidden_states": "distribution",
    "impute": "distribution",
    "kernels": "",
    "log_partition": "partition",
    "log_partition_at": "diagnostics",
    "plots": "",
    "reference": "",
    "refine": "diagnostics",
    "replace_reference": "diagnostics",
    "report": "diagnostics",
    "sampling": "",
    "space": "",
}

__all__ = [*_FACE]


def __getattr__(name: str):
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = import_module(f"{__name__}.{_FACE[name] or name}")
    return getattr(room, name) if _FACE[name] else room


def __dir__():
    return sorted({*globals(), *__all__})
