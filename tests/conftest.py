"""Fixtures that every test may use."""

import zlib

import numpy as np
import pytest


@pytest.fixture
def seed(request) -> int:
    """A seed of the test's own, from its name."""
    return zlib.crc32(request.node.name.encode())


@pytest.fixture
def rng(seed) -> np.random.Generator:
    return np.random.default_rng(seed)
