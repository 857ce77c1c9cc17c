"""What a normaliser sums over: one space per file."""
