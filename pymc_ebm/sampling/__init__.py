"""Draws from p(x|θ) at given parameter values, one algorithm per file, one protocol."""

from pymc_ebm.sampling._gibbs import gibbs
from pymc_ebm.sampling._importance_resampling import importance_resampling
from pymc_ebm.sampling._independent_metropolis import independent_metropolis
from pymc_ebm.sampling._markov_chain import markov_chain

__all__ = ["gibbs", "importance_resampling", "independent_metropolis", "markov_chain"]
