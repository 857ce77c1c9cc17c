"""A reference in shards, and what `log_partition` makes of it."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from pytensor.graph.basic import Apply, Variable

from pymc_ebm.distributed.shard import part
from pymc_ebm.energy.split import SplitEnergy
from pymc_ebm.partition.estimator import estimator
from pymc_ebm.partition.op import LogPartition
from pymc_ebm.partition.weights_graph import WeightsGraph
from pymc_ebm.reference._independent import independent
from pymc_ebm.reference.base import Reference

if TYPE_CHECKING:
    from distributed import Client

    from pymc_ebm.distributed.cluster import Shards

__all__ = ["ShardedReference", "sharded", "shards_of"]

# The log-probability of a model is built many times, and its points are made once.
_KEPT: weakref.WeakKeyDictionary[ShardedReference, dict[str, Shards]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False, repr=False)
class ShardedReference(Reference):
    """A reference whose points are made, and stay, on the workers of a Dask cluster.

    `sharded` makes one. As a `Reference` it is its first shard, of which there is a copy on this
    machine: predictive draws, the checks of coverage and hull and the figures look at these
    points. log Ẑ, its gradient and `compute_reference_stats` use those of all shards.

    Parameters
    ----------
    make : callable
        ``make(draws=, random_seed=)`` gives the `Reference` of one shard.
    draws_per_shard : int
    seeds : tuple of int
        One for each shard.
    scheduler : str
        Address of the cluster's scheduler.

    See Also
    --------
    pymc_ebm.distributed.sharded : the parameters, and an example.
    """

    make: Callable[..., Reference] = field(kw_only=True)
    draws_per_shard: int = field(kw_only=True)
    seeds: tuple[int, ...] = field(kw_only=True)
    scheduler: str = field(kw_only=True)

    @property
    def shards(self) -> int:
        """The number of shards, K."""
        return len(self.seeds)

    def shard(self, k: int) -> Reference:
        """Shard k as part of the whole, made on this machine.

        Its a_m are less log K, so that the log Ẑ of the whole is the logsumexp of the shards'.
        """
        return part(self.make, self.draws_per_shard, self.seeds[k], self.shards)

    def gathered(self) -> Reference:
        """The same points as a reference on this machine, made here from the seeds.

        Returns
        -------
        Reference
        """
        parts = [self.shard(k) for k in range(self.shards)]
        first = np.cumsum([0, *(p.n_groups for p in parts)])
        return replace(
            parts[0],
            points=np.concatenate([p.points for p in parts]),
            log_weights=np.concatenate([p.log_weights for p in parts]),
            groups=np.concatenate([p.groups + n for p, n in zip(parts, first, strict=False)]),
            unused_draws=sum(p.unused_draws for p in parts),
            edge=None,
            remake=None,
        )

    def describe(self) -> dict[str, Any]:
        """`Reference.describe` of all shards together."""
        found = super().describe()
        of_all = {n: self.shards * found[n] for n in ("n_points", "n_groups")}
        return {**found, **of_all, "shards": self.shards}

    def restricted_to(self, support) -> ShardedReference:
        """`Reference.restricted_to` in every shard."""
        if super().restricted_to(support) is self:
            return self
        make = partial(_restricted, self.make, support)
        return _sharded(make, self.draws_per_shard, self.seeds, self.scheduler)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the first shard's fingerprint and all seeds."""
        of_first = super().fingerprint
        return hashlib.sha256(f"{of_first}{self.draws_per_shard}{self.seeds}".encode()).hexdigest()

    def counts(self):
        """See `Reference`."""
        return {"shards": self.shards, "points": self.shards * self.draws_per_shard}


def sharded(
    make,
    draws: int,
    *,
    shards: int | None = None,
    random_seed=None,
    client: Client | None = None,
) -> ShardedReference:
    r"""Reference in shards on a Dask cluster, for `EBM` and `log_partition`.

    .. math:: \log \hat Z(θ) = \log \sum_k \exp \Bigl[ \log \sum_{m \in k}
              \exp(a_m − E(y_m \mid θ)) \Bigr]

    The inner sums and their gradients are those of the shards; what comes back from a worker at
    each evaluation is one number for each row of parameters and its gradient. A worker makes the
    points of its shards from their seeds. If it dies, another one makes them again.

    Parameters
    ----------
    make : distribution or callable
        A PyMC ``.dist()``, for independent draws of it; or ``make(draws=, random_seed=)``, which
        gives the `Reference` of one shard, for example
        ``partial(ebm.reference.independent, pm.Normal.dist(0, 3), method="sobol")``.
    draws : int
        Draws of all shards together.
    shards : int, optional
        K. By default one for each thread of the workers; the points depend on it.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    client : distributed.Client, optional
        The current one by default. Only the address of its scheduler is kept.

    Returns
    -------
    ShardedReference

    Raises
    ------
    ValueError
        No client; draws that do not divide into shards; shards that are exact, that move with θ,
        or whose log Ẑ is up to a constant.

    Notes
    -----
    Workers with one thread each are best: a process evaluates one shard at a time. Second
    derivatives, JAX and energies that use variables besides their arguments raise
    NotImplementedError.

    Examples
    --------
    Two workers in this process; on a cluster they are others' (see the guide).

    >>> import pymc as pm, pymc_ebm as ebm
    >>> from distributed import Client
    >>> gaussian = lambda x, s: x**2 / (2 * s**2)
    >>> with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0"):
    ...     q = ebm.distributed.sharded(pm.Normal.dist(0, 4), draws=2000, random_seed=1)
    ...     log_z = ebm.log_partition(gaussian, 1.5, reference=q).eval()
    >>> q
    ShardedReference(Normal, iid, 2 shards, 2,000 points, event shape (), support the whole line)
    >>> here = ebm.log_partition(gaussian, 1.5, reference=q.gathered()).eval()
    >>> bool(abs(log_z - here) < 1e-10)
    True
    """
    from pymc_ebm.distributed.cluster import address_of, known

    client = known(client)
    if shards is None:
        shards = max(sum(client.nthreads().values()), 1)
    per_shard, rest = divmod(draws, shards)
    if rest:
        raise ValueError(
            f"{draws} draws do not divide into {shards} shards. Use "
            f"draws={(per_shard + 1) * shards}."
        )
    if isinstance(make, Variable):
        make = partial(independent, make)
    seeds = np.random.default_rng(random_seed).integers(2**63, size=shards)
    return _sharded(make, per_shard, tuple(seeds.tolist()), address_of(client))


def _sharded(make, per_shard, seeds, scheduler) -> ShardedReference:
    first = make(draws=per_shard, random_seed=seeds[0])
    for bad, what in (
        (first.exact, "is exact"),
        (first.transport is not None, "moves with the parameters"),
        (first.pool is not None or not first.absolute, "gives log Z up to a constant"),
    ):
        if bad:
            raise ValueError(
                f"A shard of {first.description or 'this reference'} {what}, and {len(seeds)} of "
                "them do not add up. Make shards of independent draws with a known density."
            )
    kept = {f.name: getattr(first, f.name) for f in fields(Reference)}
    kept["remake"] = None
    return ShardedReference(
        **kept, make=make, draws_per_shard=per_shard, seeds=seeds, scheduler=scheduler
    )


def _restricted(make, support, draws, random_seed) -> Reference:
    return make(draws=draws, random_seed=random_seed).restricted_to(support)


@estimator.register
def _sharded_estimator(reference: ShardedReference, graph: WeightsGraph) -> LogPartition:
    """`LogPartition` with the value and the gradient that the shards give."""
    from pymc_ebm.distributed.shard_sums import ShardSums

    split, given = graph.split, graph.given
    if given.captured:
        names = ", ".join(v.name or str(v) for v in given.captured)
        raise NotImplementedError(
            f"The energy uses {names} without getting it, which the workers do not know. Make it a "
            "parameter of the energy."
        )
    shards = _shards(reference, split, [p.type for p in given.params])
    varying = graph.placeholders[: len(given.params)]
    outputs = ShardSums(shards, graph.batch_ndim)(*varying, return_list=True)
    return LogPartition(
        graph.placeholders,
        graph.log_weights,
        split=split,
        reference=reference,
        outputs=outputs,
    )


def shards_of(node: Apply) -> Shards:
    """The shards of a `LogPartition` node that has a `ShardedReference`."""
    params = node.op.split_inputs(node.inputs).params
    return _shards(node.op.reference, node.op.split, [p.type for p in params])


def _shards(reference: ShardedReference, split: SplitEnergy, types: list) -> Shards:
    """The shards for an energy, the same for all graphs that use them."""
    from pymc_ebm.distributed.cluster import Shards

    text = f"{reference.fingerprint}{split.fingerprint}{types}"
    key = hashlib.sha256(text.encode()).hexdigest()
    kept = _KEPT.setdefault(reference, {})
    if key not in kept:
        kept[key] = Shards.of(reference, split, types, key)
    return kept[key]
