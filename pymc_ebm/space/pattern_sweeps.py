"""Births, deaths and moves of point patterns by what each changes, compiled."""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["pattern_sweep"]


# Not cached on disk: each `change` is a type of its own.
@numba.njit
def pattern_sweep(
    states, at_start, at_end, u, width, window, base, beta, starts, change, start, end
):
    """Metropolis steps of every pattern under U_β = (1 − β) U_start + β U_end, in place.

    Of the steps a quarter are births anywhere in the window, a quarter deaths, and the others move
    a point, in a window that is wrapped around.

    Parameters
    ----------
    states : ndarray, shape ``(B, most, d + 1)``
        Patterns, whose points come to stand before the rows without one.
    at_start, at_end : ndarray, shape (B,)
        U_start and U_end of them.
    u : ndarray, shape ``(B, steps, d + 3)``
        Uniforms.
    width : float
        The longest step, as a share of the window.
    window : ndarray, shape ``(2, d)``
        Smallest and largest places.
    base : ndarray, shape (most + 1,)
        U of the base law by the number of points.
    beta : float
    starts : int
        What U_start is: 0 the base law, 1 the energy with parameters `start`, 2 U_end itself.
    change : callable
        Compiled; ``(x, i, row, *params)``, E with a new row i less E, where x are the rows of a
        pattern, with a last one that may be empty.
    start, end : tuple
        Parameters of `change`.

    Returns
    -------
    float
        The share of moves that were accepted.
    """
    n_patterns, most, columns = states.shape
    d = columns - 1
    sides = window[1] - window[0]
    log_volume = np.log(sides).sum()
    row, empty = np.ones(columns), np.zeros(columns)
    accepted, moves = 0, 0
    for b in range(n_patterns):
        x = states[b]
        n = _packed(x)
        for step in range(u.shape[1]):
            now = u[b, step]
            births, deaths = now[0] < 0.25, now[0] >= 0.75
            if births:
                if n == most:
                    continue
                i, after, log_ratio = n, n + 1, log_volume - np.log(n + 1.0)
                for k in range(d):
                    row[k] = window[0, k] + sides[k] * now[3 + k]
            else:
                if n == 0:
                    continue
                i, after, log_ratio = min(int(now[1] * n), n - 1), n, 0.0
                if deaths:
                    after, log_ratio = n - 1, np.log(n * 1.0) - log_volume
                else:
                    moves += 1
                    for k in range(d):
                        share = (x[i, k] - window[0, k]) / sides[k]
                        share = (share + width * (2 * now[3 + k] - 1)) % 1.0
                        row[k] = min(window[0, k] + sides[k] * share, window[1, k])
            rows, new = x[: max(n, after)], empty if deaths else row
            of_end = change(rows, i, new, *end)
            of_start = of_end
            if starts == 0:
                of_start = base[after] - base[n]
            elif starts == 1:
                of_start = change(rows, i, new, *start)
            total = of_end if beta == 1.0 else (1 - beta) * of_start + beta * of_end
            # What is no number is not accepted.
            if not np.log(now[2]) < log_ratio - total:
                continue
            at_start[b] += of_start
            at_end[b] += of_end
            if deaths:
                _copy(x[n - 1], x[i])
                x[n - 1] = 0.0
            else:
                _copy(row, x[i])
                accepted += after == n
            n = after
    return accepted / max(moves, 1)


@numba.njit
def _packed(x):
    """Put the rows of points first; how many they are."""
    n = 0
    for i in range(x.shape[0]):
        if x[i, -1] == 1:
            if i != n:
                _copy(x[i], x[n])
                x[i] = 0.0
            n += 1
    return n


@numba.njit
def _copy(values, out):
    """Number by number: the check of two arrays' shapes takes seconds to compile."""
    for k in range(len(out)):
        out[k] = values[k]
