"""The version of the package, which lower rooms record with what they make."""

from types import ModuleType

__version__ = "0.2.0"


def versions(*packages: ModuleType) -> dict[str, str]:
    """Versions by name of this package and of those that made numbers with it."""
    return {"pymc_ebm": __version__, **{p.__name__: p.__version__ for p in packages}}
