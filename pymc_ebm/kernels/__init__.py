"""Numba code that makes `LogPartition` fast: one pass over the points, block by block.

Importing this package is what turns it on. Functions for other back ends never see it.
"""

from pymc_ebm.kernels import rewrite  # noqa: F401
from pymc_ebm.kernels.routes import Route, route

__all__ = ["Route", "route"]
