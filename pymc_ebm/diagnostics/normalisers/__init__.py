"""The estimated normalisers of a model, their data and their amplification."""
