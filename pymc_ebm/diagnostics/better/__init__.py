"""Better references, and what follows from them."""
