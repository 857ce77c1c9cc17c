"""A second estimate of every normaliser, which shares neither points nor way with the first."""

from pymc_ebm.diagnostics.second_estimate._second_estimate import SecondEstimate, second_estimate

__all__ = ["SecondEstimate", "second_estimate"]
