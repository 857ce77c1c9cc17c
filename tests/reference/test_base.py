"""A reference keeps what it was given."""

import numpy as np
import pymc as pm

from pymc_ebm import reference as ref

Y = np.linspace(-1, 1, 30)


def make(points=Y, log_weights=None, **kwargs):
    points = np.asarray(points)
    a = np.zeros(len(points)) if log_weights is None else log_weights
    return ref.Reference(points, a, np.arange(len(points)), **kwargs)


def test_reference_copies_and_fingerprints():
    y = Y.copy()
    q = make(y)
    before = q.fingerprint
    y[0] = 9
    assert q.points[0] == -1 and not q.points.flags.writeable
    assert before == make().fingerprint != make(Y / 2).fingerprint
    moved = [
        ref.independent(f, 64, random_seed=1).fingerprint
        for f in (lambda s: pm.Normal.dist(0, s), lambda s: pm.Normal.dist(s, 1))
    ]
    again = ref.independent(lambda t: pm.Normal.dist(0, t), 64, random_seed=1).fingerprint
    assert moved[0] != moved[1] and moved[0] == again
