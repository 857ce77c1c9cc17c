"""The exchange algorithm: a step method that needs no normaliser."""

from pymc_ebm.exchange.exchange_metropolis import ExchangeMetropolis

__all__ = ["ExchangeMetropolis"]
