"""The progress bar of everything that takes long: PyMC's."""

from contextlib import nullcontext

from pymc.progress_bar import CustomProgress, default_progress_theme
from rich.console import Console
from rich.progress import TaskID

__all__ = ["progress"]


def progress(enabled: bool) -> "_Bar | nullcontext[_Silent]":
    """Make a progress bar, as a context manager; a disabled one shows nothing."""
    if not enabled:
        return nullcontext(_Silent())
    return _Bar(console=Console(theme=default_progress_theme))


class _Bar(CustomProgress):
    """PyMC's bar, complete where its context ends without an error: searches know no total."""

    def __exit__(self, exc_type, exc_value, traceback):
        for task in self.tasks if exc_type is None else []:
            if not task.finished:
                done = max(task.completed, 1)
                self.update(task.id, completed=done, total=done)
        super().__exit__(exc_type, exc_value, traceback)


class _Silent:
    """No bar: making one takes longer than the short chains of which the exchange runs many."""

    def add_task(self, description: str, total: float | None = None) -> TaskID:
        return TaskID(0)

    def advance(self, task: TaskID, advance: float = 1) -> None:
        pass

    def update(self, task: TaskID, **changes) -> None:
        pass
