"""The estimate of log Z as a PyTensor graph: the Op, the estimator and `log_partition`."""

from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.partition.op import LogPartition

__all__ = ["LogPartition", "log_partition"]
