"""Independent sites whose frequencies are drawn towards equal ones."""

from __future__ import annotations

import numpy as np


class SitesLaw:
    r"""A product over sites, :math:`q(y) = \prod_i [\tfrac34 f_i(y_i) + \tfrac14 / K_i]`.

    Where all sites have the same values, f counts as many data again as `shared` with the
    frequencies of all sites together: few data say little of each site of theirs.

    Parameters
    ----------
    codes : ndarray of int, shape (N, D)
        Data, by the place of each value among its site's.
    values : ndarray, shape (D, K)
        Values of each site, sorted; rows of fewer repeat the last one.
    n_values : ndarray of int, shape (D,)
    shared : int
    """

    def __init__(self, codes, values, n_values, shared: int = 30):
        self.values, self.n_values = values, n_values
        self.n_uniforms = len(values)
        allowed = np.arange(values.shape[1]) < n_values[:, None]
        counts = np.stack([(codes == k).sum(axis=0) for k in range(values.shape[1])], axis=1)
        before, weight = allowed / n_values[:, None], n_values[:, None]
        if (values == values[0]).all() and (n_values == n_values[0]).all():
            before, weight = (counts.sum(axis=0) + 1) / (counts.sum() + n_values[0]), shared
        frequencies = (counts + weight * before) / (len(codes) + weight)
        p = 0.75 * frequencies + 0.25 / n_values[:, None]
        self.p = np.where(allowed, p, 0.0)  # (D, K)

    def points(self, u):
        """Points ``(M, D)`` from uniforms ``(M, D)``, and whether each is usable."""
        ends = self.p.cumsum(axis=1)[:, :-1]
        codes = np.zeros(u.shape, dtype=int)
        for end in ends.T:
            codes += u >= end
        codes = np.minimum(codes, self.n_values - 1)
        return self.values[np.arange(len(self.values)), codes], np.ones(len(u), dtype=bool)

    def log_density(self, x):
        """Log probability ``(M,)`` of vectors ``(M, D)``."""
        x = np.asarray(x)
        total = np.full(x.shape, -np.inf)
        for known, p in zip(self.values.T, self.p.T, strict=True):
            with np.errstate(divide="ignore"):
                total = np.where((x == known) & (p > 0), np.log(p), total)
        return total.sum(axis=1)
