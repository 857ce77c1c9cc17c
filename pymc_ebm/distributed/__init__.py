"""References too large for one machine: shards of points on the workers of a Dask cluster."""

from pymc_ebm.distributed.sharded_reference import ShardedReference, sharded

__all__ = ["ShardedReference", "sharded"]
