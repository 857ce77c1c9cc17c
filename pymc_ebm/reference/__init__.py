"""Ways to make a reference, the weighted set of points that estimates a normaliser."""

from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.chain import chain
from pymc_ebm.reference.enumeration import enumeration
from pymc_ebm.reference.fitted import fitted
from pymc_ebm.reference.from_draws import from_draws
from pymc_ebm.reference.independent import independent
from pymc_ebm.reference.mbar import Pool
from pymc_ebm.reference.pooled import pooled
from pymc_ebm.reference.proposal import Proposal
from pymc_ebm.reference.quadrature import quadrature
from pymc_ebm.reference.support import Support, normalise_support

__all__ = [
    "Pool",
    "Proposal",
    "Reference",
    "Support",
    "chain",
    "enumeration",
    "fitted",
    "from_draws",
    "independent",
    "normalise_support",
    "pooled",
    "quadrature",
]
