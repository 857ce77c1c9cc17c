"""The questions of a report, one check a file, in the order in which their words are printed."""

from pymc_ebm.diagnostics.checks.added_error import AddedError
from pymc_ebm.diagnostics.checks.anchors import Anchors
from pymc_ebm.diagnostics.checks.chains import Chains
from pymc_ebm.diagnostics.checks.check import Check, Draws, Finding, Words
from pymc_ebm.diagnostics.checks.coverage import Coverage
from pymc_ebm.diagnostics.checks.estimated_twice import EstimatedTwice
from pymc_ebm.diagnostics.checks.exact_rules import ExactRules
from pymc_ebm.diagnostics.checks.level import Level
from pymc_ebm.diagnostics.checks.maximum import Maximum
from pymc_ebm.diagnostics.checks.same_data import SameData
from pymc_ebm.diagnostics.checks.weights import Tails, Weights

__all__ = ["CHECKS", "Check", "Draws", "EstimatedTwice", "Finding", "Words"]

#: All that `compute_reference_stats` measures and `report` judges.
CHECKS: list[Check] = [
    Chains(),
    EstimatedTwice(),
    Weights(),
    Tails(),
    ExactRules(),
    Anchors(),
    Maximum(),
    AddedError(),
    Coverage(),
    Level(),
    SameData(),
]
