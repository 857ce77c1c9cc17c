"""Composite quadrature: a rule, the axes it is laid along, and the panels it is laid on."""
