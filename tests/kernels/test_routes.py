"""Which way a normaliser takes, in words."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import get_mode

import pymc_ebm as ebm
from pymc_ebm.kernels.ops import BlockStream, LinearStream

STREAMED = get_mode("NUMBA")

# Blocks have 512 to 2048 points: three blocks or more, the last of them short.
M = 5003


def scalars(draws=M):
    return ebm.reference.independent(pm.Normal.dist(2, 4), draws=draws, random_seed=1)


REFERENCE = scalars()


def streams(function):
    kinds = (LinearStream, BlockStream)
    return [n for n in function.maker.fgraph.toposort() if isinstance(n.op, kinds)]


def test_routes_that_stay_plain_say_why():
    s = pt.dscalar("s")
    moving = ebm.reference.independent(
        lambda s: pm.Normal.dist(0.5, 2 + s), draws=100, random_seed=1
    )
    log_z = ebm.log_partition(lambda x, s: x**2 / s, s, reference=moving)
    assert str(ebm.kernels.route(log_z)) == "plain: the points move with the parameters"
    assert not streams(pytensor.function([s], log_z, mode=STREAMED))
    each = np.arange(100.0)
    held = ebm.reference.independent(pm.Normal.dist(0, 1), draws=100, random_seed=1)
    log_z = ebm.log_partition(lambda x, s: (x + s) ** 2 * pt.constant(each), s, reference=held)
    assert ebm.kernels.route(log_z).reason == "the energy takes 100 points and no other number"
    assert not streams(pytensor.function([s], log_z, mode=STREAMED))


def test_route_takes_one_normaliser():
    s = pt.dscalar("s")
    with pytest.raises(ValueError, match="There are 0 estimated normalisers"):
        ebm.kernels.route(s**2)
    log_z = ebm.log_partition(lambda x, s: x**2 / s, s, reference=REFERENCE)
    assert ebm.kernels.route(log_z.owner) == ebm.kernels.route(2 * log_z)
