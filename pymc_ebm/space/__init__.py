"""What a normaliser sums over: one space per file."""

from pymc_ebm.space._circle import circle
from pymc_ebm.space._permutations import permutations
from pymc_ebm.space._points import points
from pymc_ebm.space._simplex import simplex
from pymc_ebm.space._sphere import sphere
from pymc_ebm.space.base import Space
from pymc_ebm.space.packing import pack, unpack

__all__ = [
    "Space",
    "circle",
    "pack",
    "permutations",
    "points",
    "simplex",
    "sphere",
    "unpack",
]
