"""What the draws of a reference add to a posterior."""
