"""Sums over the points of a normaliser at one posterior draw."""
