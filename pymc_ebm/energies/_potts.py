"""The Potts model on a rectangular lattice."""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.lattice import bond_sum, site_sum

__all__ = ["potts"]


def potts(x, beta, *field, boundary: str = "periodic", mask=None) -> TensorVariable:
    r"""Energy of colours 0, …, q − 1 on a lattice, lower where neighbours agree.

    .. math:: E(x \mid β, h) = −β \sum_{i \sim j} 1\{x_i = x_j\} − \sum_c h_c \sum_i 1\{x_i = c\}

    Every bond i ~ j counts once. The number of colours is what the reference says. Two colours
    without a field are an Ising model at β / 2, with log Z larger by β / 2 for each bond. At β = 0,
    Z is 1 + Σ_c exp h_c, or q without a field, to the power of the number of sites.

    Parameters
    ----------
    x : TensorVariable
        Colours, ``(*batch, rows, columns)``.
    beta : scalar
        Coupling, in nats for each bond.
    *field : scalars
        h_1, …, h_{q−1}, in nats for each site: how much each colour is preferred to colour 0.
        All colours alike by default.
    boundary : {"periodic", "free"}
        Whether the last row and column are neighbours of the first. On a periodic side of two
        sites the same two are neighbours twice; a side of one site has no bonds.
    mask : array_like of bool, optional
        ``(rows, columns)``, True at the sites of the lattice; all by default. Colours elsewhere
        have no effect. They stay part of the event, so each adds log q to log Z.

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
    Potts (1952), doi:10.1017/S0305004100027419. Wu (1982), doi:10.1103/RevModPhys.54.235.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> colours = ebm.reference.enumeration(range(3), shape=(2, 3), complete=True)
    >>> ebm.log_partition(potts, 0.0, reference=colours).eval().round(4).item()  # 6 log 3
    6.5917
    """
    x = pt.as_tensor(x)
    energy = -beta * bond_sum(pt.eq, x, boundary, mask)
    for colour, preference in enumerate(field, start=1):
        energy = energy - preference * site_sum(pt.eq(x, colour), x, mask)
    return energy
