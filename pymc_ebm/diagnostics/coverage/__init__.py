"""Whether a reference has points wherever the model has mass."""
