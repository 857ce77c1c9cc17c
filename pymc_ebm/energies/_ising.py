"""The Ising model on a rectangular lattice."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.lattice import bond_sum, site_sum

__all__ = ["ising"]


def ising(s, beta, field=None, *, boundary: str = "periodic", mask=None) -> TensorVariable:
    r"""Energy of spins −1 and 1 on a lattice, each coupled to its nearest neighbours.

    .. math:: E(s \mid β, h) = −β \sum_{i \sim j} s_i s_j − h \sum_i s_i

    Every bond i ~ j counts once. At h = 0 and with a periodic boundary, Z has a closed form
    (Kaufman 1949); at β = 0 it is 2 cosh h to the power of the number of sites.

    Parameters
    ----------
    s : TensorVariable
        Spins, ``(*batch, rows, columns)``.
    beta : scalar
        Coupling, in nats for each bond.
    field : scalar or ``(rows, columns)``, optional
        h, in nats for each site; none by default. A field for each site needs the signature
        ``"(),(r,c)"``. One that is linear in covariates is cheaper as the sum in the example.
    boundary : {"periodic", "free"}
        Whether the last row and column are neighbours of the first. On a periodic side of two
        sites the same two are neighbours twice; a side of one site has no bonds.
    mask : array_like of bool, optional
        ``(rows, columns)``, True at the sites of the lattice; all by default. Spins elsewhere have
        no effect. They stay part of the event, so each adds log 2 to log Z.

    Returns
    -------
    TensorVariable
        E, ``(*batch,)``, in nats.

    Raises
    ------
    ValueError
        An unknown boundary, or a mask of another shape than the lattice.

    References
    ----------
    Ising (1925), doi:10.1007/BF02980577. Kaufman (1949), doi:10.1103/PhysRev.76.1232.

    Examples
    --------
    log Z of the 3 × 3 lattice, periodic and free:

    >>> from functools import partial
    >>> import pymc_ebm as ebm
    >>> spins = ebm.reference.enumeration([-1, 1], shape=(3, 3), complete=True)
    >>> ebm.log_partition(ising, 0.4, reference=spins).eval().round(4).item()
    8.4565
    >>> free = partial(ising, boundary="free")
    >>> ebm.log_partition(free, 0.4, reference=spins).eval().round(4).item()
    7.2677

    Autologistic regression, a field that depends on a covariate of each site:

    >>> import numpy as np
    >>> covariate = np.linspace(-1, 1, 9).reshape(3, 3)
    >>> def autologistic(s, beta, intercept, slope):
    ...     return ising(s, beta, intercept) - slope * (covariate * s).sum((-2, -1))
    """
    s = pt.as_tensor(s)
    energy = -beta * bond_sum(pt.mul, s, boundary, mask)
    return energy if field is None else energy - site_sum(field * s, s, mask)
