"""Whether an estimated likelihood has a maximum."""
