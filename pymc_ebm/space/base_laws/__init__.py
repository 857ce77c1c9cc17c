"""Distributions with known densities on a space, shaped like data."""
