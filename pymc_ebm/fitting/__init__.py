"""Point estimates of models with energy-based likelihoods: one method per file."""

from pymc_ebm.fitting.estimate import PointEstimate
from pymc_ebm.fitting.find_mle import find_MLE
from pymc_ebm.fitting.geyer import geyer

__all__ = ["PointEstimate", "find_MLE", "geyer"]
