"""Refuse what does not fit in memory before it is allocated."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# A container's limit, in control groups of version 2 and 1; the file of none says "max".
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def check_memory(n_points: int, numbers: float, remedy: str) -> None:
    """Compare the most memory that a step will hold with what there is.

    Parameters
    ----------
    n_points : int
    numbers : float
        Numbers of eight bytes per point where the step needs most, its temporary arrays and
        the copies of its result among them.
    remedy : str
        The sentence that says what to do instead.

    Raises
    ------
    MemoryError
        They need more than the memory of the machine, or of the container.

    Examples
    --------
    >>> try:
    ...     check_memory(10**15, 3, "Use fewer draws.")
    ... except MemoryError as error:
    ...     print(str(error)[:48], "...", str(error)[-16:])
    1e+15 points need 2.24e+07 GiB while they are ma ... Use fewer draws.
    """
    available = physical_memory()
    needed = 8.0 * n_points * numbers
    if needed > available:
        raise MemoryError(
            f"{n_points:.3g} points need {needed / 2**30:.3g} GiB while they are made, and there "
            f"are {available / 2**30:.3g} GiB. {remedy}"
        )


def physical_memory() -> float:
    """Bytes of memory of the machine or of the container; infinite where the system says neither.

    Examples
    --------
    >>> physical_memory() > 2**20
    True
    """
    found = [float("inf")]
    with suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _LIMITS:
        with suppress(ValueError, OSError):
            found.append(float(Path(path).read_text()))
    return min(found)
