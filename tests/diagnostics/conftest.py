"""Fixtures of the tests of diagnostics."""

import pytensor
import pytest


@pytest.fixture
def interpreted():
    """For tests that evaluate small graphs a few hundred times: compiling them takes longer."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield
