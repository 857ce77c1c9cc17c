"""What the estimated normaliser did to a posterior: amplification, statistics and a report."""

from pymc_ebm.diagnostics._check import check
from pymc_ebm.diagnostics._log_partition_at import LogPartitionEstimate, log_partition_at
from pymc_ebm.diagnostics._report import report
from pymc_ebm.diagnostics.better._better_reference import better_reference
from pymc_ebm.diagnostics.better._refine import refine
from pymc_ebm.diagnostics.better._replace_reference import replace_reference
from pymc_ebm.diagnostics.checks import CHECKS, Check, Draws, Finding, Words
from pymc_ebm.diagnostics.hull._hull import HullVerdict, check_hull, hull_margin, in_hull
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.normalisers._amplification import amplification, find_log_partitions
from pymc_ebm.diagnostics.reference_stats import compute_reference_stats
from pymc_ebm.diagnostics.words.reference_report import ReferenceReport

__all__ = [
    "CHECKS",
    "Check",
    "Draws",
    "Finding",
    "HullVerdict",
    "Limits",
    "LogPartitionEstimate",
    "ReferenceReport",
    "Words",
    "amplification",
    "better_reference",
    "check",
    "check_hull",
    "compute_reference_stats",
    "find_log_partitions",
    "hull_margin",
    "in_hull",
    "log_partition_at",
    "refine",
    "replace_reference",
    "report",
]
