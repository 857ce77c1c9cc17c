"""Numba code that makes `LogPartition` fast: one pass over the points, block by block.

Importing this package is what turns it on. Functions for other back ends never see it.
"""

from pymc_ebm.kernels import registration  # noqa: F401

__all__ = ["Route", "route"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pymc_ebm.kernels import routes

    return getattr(routes, name)
