"""Point estimates of models with energy-based likelihoods: one method per file."""

from pymc_ebm.fitting._exact_gradient import exact_gradient
from pymc_ebm.fitting._geyer import geyer
from pymc_ebm.fitting._gradient_descent import gradient_descent
from pymc_ebm.fitting._noise_contrastive import noise_contrastive
from pymc_ebm.fitting._path_integral import PathIntegral, path_integral
from pymc_ebm.fitting._pseudolikelihood import pseudolikelihood
from pymc_ebm.fitting._score_matching import score_matching
from pymc_ebm.fitting.estimate import PointEstimate
from pymc_ebm.fitting.find_mle import find_MLE, solve
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.fitting.solution import Solution

__all__ = [
    "PathIntegral",
    "PointEstimate",
    "Problem",
    "Solution",
    "exact_gradient",
    "find_MLE",
    "geyer",
    "gradient_descent",
    "noise_contrastive",
    "path_integral",
    "pseudolikelihood",
    "score_matching",
    "solve",
]
