"""Ready energies, as plain functions: lattices, networks, rankings, point patterns, counts."""

from pymc_ebm.energies._change_statistics import change_statistics
from pymc_ebm.energies._ergm import ergm
from pymc_ebm.energies._from_jax import from_jax
from pymc_ebm.energies._ising import ising
from pymc_ebm.energies._mallows import mallows
from pymc_ebm.energies._point_patterns import geyer, hard_core, pairwise, strauss
from pymc_ebm.energies._polynomial import polynomial
from pymc_ebm.energies._potts import potts
from pymc_ebm.energies.boltzmann import restricted_boltzmann
from pymc_ebm.energies.change_graphs import (
    edge_changes,
    gwesp_changes,
    star_changes,
    triangle_changes,
)
from pymc_ebm.energies.conway import conway_maxwell_poisson, conway_maxwell_poisson_mean
from pymc_ebm.energies.directed_statistics import (
    ctriples,
    dgwesp,
    istars,
    m2stars,
    mutual,
    ostars,
    ttriples,
)
from pymc_ebm.energies.dyads import to_adjacency, to_dyads
from pymc_ebm.energies.tie_covariates import (
    edgecov,
    edges,
    nodecov,
    nodefactor,
    nodeicov,
    nodematch,
    nodeocov,
)
from pymc_ebm.energies.undirected_statistics import (
    degree,
    gwdegree,
    gwdsp,
    gwesp,
    isolates,
    stars,
    triangles,
    twopaths,
)

__all__ = [
    "change_statistics",
    "conway_maxwell_poisson",
    "conway_maxwell_poisson_mean",
    "ctriples",
    "degree",
    "dgwesp",
    "edge_changes",
    "edgecov",
    "edges",
    "ergm",
    "from_jax",
    "geyer",
    "gwdegree",
    "gwdsp",
    "gwesp",
    "gwesp_changes",
    "hard_core",
    "ising",
    "isolates",
    "istars",
    "m2stars",
    "mallows",
    "mutual",
    "nodecov",
    "nodefactor",
    "nodeicov",
    "nodematch",
    "nodeocov",
    "ostars",
    "pairwise",
    "polynomial",
    "potts",
    "restricted_boltzmann",
    "star_changes",
    "stars",
    "strauss",
    "to_adjacency",
    "to_dyads",
    "triangle_changes",
    "triangles",
    "ttriples",
    "twopaths",
]
