"""Distributions behind points: their draws and their log densities."""
