"""The progress bar of everything that takes long: PyMC's."""

from contextlib import nullcontext

from pymc.progress_bar import CustomProgress, default_progress_theme
from rich.console import Console
from rich.progress import TaskID

__all__ = ["progress"]


def progress(enabled: bool) -> "CustomProgress | nullcontext[_Silent]":
    """Make a progress bar, as a context manager; a disabled one shows nothing."""
    if not enabled:
        return nullcontext(_Silent())
    return CustomProgress(console=Console(theme=default_progress_theme))


class _Silent:
    """No bar: making one takes longer than the short chains of which the exchange runs many."""

    def add_task(self, description: str, total: float | None = None) -> TaskID:
        return TaskID(0)

    def advance(self, task: TaskID, advance: float = 1) -> None:
        pass

    def update(self, task: TaskID, **changes) -> None:
        pass
