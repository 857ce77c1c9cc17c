"""The progress bar of everything that takes long: PyMC's."""

from pymc.progress_bar import CustomProgress, default_progress_theme
from rich.console import Console

__all__ = ["progress"]


def progress(enabled: bool) -> CustomProgress:
    """Make a progress bar, as a context manager; a disabled one shows nothing."""
    return CustomProgress(console=Console(theme=default_progress_theme), disable=not enabled)
