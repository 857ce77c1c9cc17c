"""Ways to make a reference, the weighted set of points that estimates a normaliser."""

from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference._fitted import fitted
from pymc_ebm.reference._from_draws import from_draws
from pymc_ebm.reference._independent import independent
from pymc_ebm.reference._panels import Unresolved, panels
from pymc_ebm.reference._quadrature import quadrature
from pymc_ebm.reference._rows import rows
from pymc_ebm.reference._rule import rule
from pymc_ebm.reference._uniform import uniform
from pymc_ebm.reference.annealing._annealed import annealed
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.chains._chain import chain
from pymc_ebm.reference.chains._pooled import pooled
from pymc_ebm.reference.chains.pool import Pool
from pymc_ebm.reference.laws.proposal import Proposal
from pymc_ebm.space.box import Support
from pymc_ebm.space.named import normalise_support

__all__ = [
    "Pool",
    "Proposal",
    "Reference",
    "Support",
    "Unresolved",
    "annealed",
    "chain",
    "enumeration",
    "fitted",
    "from_draws",
    "independent",
    "normalise_support",
    "panels",
    "pooled",
    "quadrature",
    "rows",
    "rule",
    "uniform",
]
