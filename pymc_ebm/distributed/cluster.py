"""Shards on a Dask cluster: made there from seeds, asked there, and made again where lost."""

from __future__ import annotations

import asyncio
import os
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cloudpickle
from distributed import Client, Future, default_client

from pymc_ebm.distributed.shard import Shard, Sums, add_up, value_and_gradient

__all__ = ["Shards", "address_of", "known"]

# By process and address: a connection does not outlive a fork.
_CLIENTS: dict[tuple[int, str], Client] = {}
# By process, the tasks that keep shards in the memory of the workers.
_TASKS: weakref.WeakKeyDictionary[Shards, dict[int, _Tasks]] = weakref.WeakKeyDictionary()
# Seconds between questions after a worker that has died, and how often to ask again.
_PAUSE = 0.2


def known(client: Client | None) -> Client:
    """The client given or the current one, to be found again by its scheduler's address."""
    if client is None:
        try:
            client = default_client()
        except ValueError:
            raise ValueError(
                "There is no Dask client. Make one, for example distributed.Client(address), or "
                "pass client=."
            ) from None
    _CLIENTS[os.getpid(), address_of(client)] = client
    return client


def address_of(client: Client) -> str:
    """Address of the scheduler that a client is connected to."""
    return client.scheduler_info()["address"]


def _client_of(scheduler: str) -> Client:
    """A client of this process."""
    place = os.getpid(), scheduler
    if place not in _CLIENTS or _CLIENTS[place].status != "running":
        _CLIENTS[place] = Client(scheduler, set_as_default=False)
    return _CLIENTS[place]


@dataclass(frozen=True, eq=False)
class Shards:
    """The shards of a reference for one energy, wherever they are.

    It holds no connection: each process makes its own when it first asks.

    Parameters
    ----------
    scheduler : str
    recipe : bytes
        See `Shard`.
    key : str
        Equal for equal points and energies, so that processes share what is on the workers.
    seeds : tuple of int
    """

    scheduler: str
    recipe: bytes
    key: str
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, reference, split, types, key: str) -> Shards:
        """The shards of a `ShardedReference` for an energy at parameters of these types."""
        recipe = (reference.make, reference.draws_per_shard, reference.shards, split, types)
        return cls(reference.scheduler, cloudpickle.dumps(recipe), key, reference.seeds)

    def __eq__(self, other):
        return isinstance(other, Shards) and (self.scheduler, self.key) == (
            other.scheduler,
            other.key,
        )

    def __hash__(self):
        return hash((self.scheduler, self.key))

    def sums(self, values: Sequence) -> Sums:
        """Log Ẑ of all points and its gradients: shards on each worker first, then workers."""
        return add_up(list(self._ask(value_and_gradient, add_up, values).values()))

    def each(self, function: Callable, *args) -> list[Any]:
        """``function(shard, *args)`` of every shard, in their order."""
        by_worker = self._ask(function, None, *args)
        found = dict(pair for pairs in by_worker.values() for pair in pairs)
        return [found[key] for key in self._keys()]

    def _keys(self) -> list[str]:
        return [f"shard-{self.key}-{k}" for k in range(len(self.seeds))]

    def _tasks(self) -> _Tasks:
        client = _client_of(self.scheduler)
        by_process = _TASKS.setdefault(self, {})
        tasks = by_process.get(os.getpid())
        if tasks is None or tasks.client is not client:
            tasks = by_process[os.getpid()] = _Tasks(client, self)
        return tasks

    def _ask(self, function, combine, *args) -> dict[str, Any]:
        """Answers of the workers by their addresses."""
        attempts = 100
        tasks = self._tasks()
        for _ in range(attempts):
            homes = tasks.homes()
            answers = tasks.client.run(
                _answer, homes, function, combine, args, workers=list(homes), on_error="return"
            )
            lost = len(answers) < len(homes)
            for answer in answers.values():
                if isinstance(answer, Exception) and not isinstance(answer, OSError):
                    raise answer
                lost = lost or answer is None or isinstance(answer, OSError)
            if not lost:
                return answers
            # The scheduler needs a moment to see that a worker has died.
            time.sleep(_PAUSE)
        raise RuntimeError(
            f"Workers of {self.scheduler} lost their shards {attempts} times in a row. See the "
            "workers' logs; a common cause is too little memory."
        )


class _Tasks:
    """The tasks of one process that make the shards.

    They are tasks and not actors, so that the scheduler has them run again when a worker dies.
    """

    def __init__(self, client: Client, shards: Shards):
        self.client = client
        workers = sorted(client.nthreads())
        self.futures: list[Future] = []
        for k, (key, seed) in enumerate(zip(shards._keys(), shards.seeds, strict=True)):
            # Evenly over the workers there are, and anywhere once they are gone.
            at = {"workers": [workers[k % len(workers)]], "allow_other_workers": True}
            self.futures.append(
                client.submit(
                    Shard, shards.recipe, shards.key, seed, key=key, **(at if workers else {})
                )
            )

    def homes(self) -> dict[str, list[str]]:
        """Keys of the shards by the worker that has them, once all are made."""
        while True:
            for future in self.futures:
                if future.status != "finished" and (error := future.exception()):
                    raise error
            found: dict[str, list[str]] = {}
            for key, workers in self.client.who_has(self.futures).items():
                found.setdefault(min(workers, default=""), []).append(key)
            if "" not in found:
                return found
            time.sleep(_PAUSE)


async def _answer(homes, function, combine, args, dask_worker):
    """Runs on a worker; None where a shard that it should have is not there."""
    try:
        shards = {key: dask_worker.data[key] for key in homes[dask_worker.address]}
    except KeyError:
        return None

    def work():
        found = [function(shard, *args) for shard in shards.values()]
        return combine(found) if combine else list(zip(shards, found, strict=True))

    # In the thread for tasks: a worker that computes still answers the scheduler.
    return await asyncio.get_running_loop().run_in_executor(dask_worker.executors["default"], work)
