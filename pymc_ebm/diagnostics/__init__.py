"""What the estimated normaliser did to a posterior: amplification, statistics and a report."""

from pymc_ebm.diagnostics.amplification import amplification
from pymc_ebm.diagnostics.better_reference import better_reference
from pymc_ebm.diagnostics.check import check
from pymc_ebm.diagnostics.hull import HullVerdict, check_hull, hull_margin, in_hull
from pymc_ebm.diagnostics.normalisers import find_log_partitions
from pymc_ebm.diagnostics.reference_report import ReferenceReport
from pymc_ebm.diagnostics.reference_stats import compute_reference_stats
from pymc_ebm.diagnostics.refine import refine
from pymc_ebm.diagnostics.replace_reference import replace_reference
from pymc_ebm.diagnostics.report import report

__all__ = [
    "HullVerdict",
    "ReferenceReport",
    "amplification",
    "better_reference",
    "check",
    "check_hull",
    "compute_reference_stats",
    "find_log_partitions",
    "hull_margin",
    "in_hull",
    "refine",
    "replace_reference",
    "report",
]
