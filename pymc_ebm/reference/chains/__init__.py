"""References made of Markov chains, at one parameter value or at several."""
