"""Figures of estimated normalisers and of what they did to a posterior."""

from pymc_ebm.plots.anchor_overlap import plot_anchor_overlap
from pymc_ebm.plots.log_partition import plot_log_partition
from pymc_ebm.plots.reference_effect import plot_reference_effect
from pymc_ebm.plots.reference_ess import plot_reference_ess
from pymc_ebm.plots.reference_weights import plot_reference_weights
from pymc_ebm.plots.second_estimate import plot_second_estimate

__all__ = [
    "plot_anchor_overlap",
    "plot_log_partition",
    "plot_reference_effect",
    "plot_reference_ess",
    "plot_reference_weights",
    "plot_second_estimate",
]
