"""`EBM`: the data, the default reference and its forecast."""

from pymc_ebm.distribution.ebm import EBM

__all__ = ["EBM"]
