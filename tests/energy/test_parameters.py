"""Signatures of parameters."""

import pytest

from pymc_ebm.energy.parameters import core_ndims


def test_signature():
    assert core_ndims("(k),()->(d)", 2) == (1, 0)
    assert core_ndims("(k,l)", 1) == (2,)
    assert core_ndims(None, 3) == (0, 0, 0)
    with pytest.raises(ValueError, match="names 1 parameters, but the energy gets 2"):
        core_ndims("(k)", 2)
