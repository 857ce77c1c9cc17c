"""Refuse what does not fit in memory before it is allocated."""

from __future__ import annotations

import os


def check_memory(n_points: int, event_size: int, remedy: str) -> None:
    """Compare a reference's size with the machine's memory.

    Parameters
    ----------
    n_points, event_size : int
        Points, and numbers per point.
    remedy : str
        The sentence that says what to do instead.

    Raises
    ------
    MemoryError
        The points with their weights need more than the physical memory.
    """
    available = physical_memory()
    needed = 8 * n_points * (event_size + 2)  # a point, its weight and its group
    if needed > available:
        raise MemoryError(
            f"{n_points:.3g} points need {needed / 2**30:.3g} GiB, and this machine has "
            f"{available / 2**30:.3g} GiB. {remedy}"
        )


def physical_memory() -> float:
    """Bytes of physical memory; infinite where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")
