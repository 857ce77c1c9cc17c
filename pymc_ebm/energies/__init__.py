"""Ready energies, as plain functions: lattices, networks, rankings, counts, hidden units."""

from pymc_ebm.energies._ergm import edges, ergm, gwesp, stars, triangles
from pymc_ebm.energies._ising import ising
from pymc_ebm.energies._mallows import mallows
from pymc_ebm.energies._polynomial import polynomial
from pymc_ebm.energies._potts import potts
from pymc_ebm.energies.boltzmann import restricted_boltzmann
from pymc_ebm.energies.change_statistics import (
    edge_changes,
    gwesp_changes,
    star_changes,
    triangle_changes,
)
from pymc_ebm.energies.conway import conway_maxwell_poisson
from pymc_ebm.energies.dyads import to_adjacency, to_dyads

__all__ = [
    "conway_maxwell_poisson",
    "edge_changes",
    "edges",
    "ergm",
    "gwesp",
    "gwesp_changes",
    "ising",
    "mallows",
    "polynomial",
    "potts",
    "restricted_boltzmann",
    "star_changes",
    "stars",
    "to_adjacency",
    "to_dyads",
    "triangle_changes",
    "triangles",
]
