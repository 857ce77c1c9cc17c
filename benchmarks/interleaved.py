"""Times of several programs, measured in turn, so that what slows the machine slows them all."""

import time
from collections.abc import Callable, Mapping

import numpy as np

# After one call, 16 MB of points were still partly in memory; after five all were in the cache.
_UNTIMED = 5


def interleaved(programs: Mapping[str, Callable], seconds: float) -> dict[str, np.ndarray]:
    """Seconds per call of each program, round by round.

    Calls that are not timed come before those that are: in a sampler, too, a program finds its own
    data in the cache. Calls of less than 0.2 ms are timed together.
    """
    once = {}
    for name, program in programs.items():
        program()
        start = time.perf_counter()
        program()
        once[name] = time.perf_counter() - start
    repeats = {name: max(int(2e-4 / t), 1) for name, t in once.items()}
    a_round = sum(t * (repeats[name] + _UNTIMED) for name, t in once.items())
    rounds = int(np.clip(seconds / a_round, 5, 201))
    times = {name: np.empty(rounds) for name in programs}
    for i in range(rounds):
        for name, program in programs.items():
            for _ in range(_UNTIMED):
                program()
            start = time.perf_counter()
            for _ in range(repeats[name]):
                program()
            times[name][i] = (time.perf_counter() - start) / repeats[name]
    return times
