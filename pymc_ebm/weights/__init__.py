"""Importance weights as plain arrays: normalised, by groups, and their Pareto tails."""
