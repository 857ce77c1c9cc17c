"""Energy-based likelihoods in PyMC, with an estimated normaliser and an account of its error."""

from pymc_ebm import (
    diagnostics,
    distributed,
    energies,
    fitting,
    kernels,
    plots,
    reference,
    sampling,
)
from pymc_ebm.diagnostics import (
    ReferenceReport,
    better_reference,
    check,
    compute_reference_stats,
    refine,
    replace_reference,
    report,
)
from pymc_ebm.distribution import EBM
from pymc_ebm.exchange import ExchangeMetropolis
from pymc_ebm.fitting import PointEstimate, find_MLE
from pymc_ebm.log_partition import LogPartition, log_partition

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
