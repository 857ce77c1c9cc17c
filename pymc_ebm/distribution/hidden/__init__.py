"""Hidden fields: the likelihood of what is observed of a latent energy-based model."""
