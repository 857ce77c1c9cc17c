"""Independent runs of sequential Monte Carlo from a law whose Z is known."""
