"""What the checks found, in words."""
