"""Errors that begin with the variable they are about, without the package's own traceback."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["errors_of"]

_PACKAGE = str(Path(__file__).parents[1])


@contextmanager
def errors_of(kind: str, name) -> Iterator[None]:
    """Put the name of a variable before the words of an error.

    What the package says itself needs no traceback of the lines that found it out: the error that
    a user's function raised, if one did, is all that is chained.

    Parameters
    ----------
    kind : str
        Of the variable, such as ``"EBM"``.
    name : str

    Examples
    --------
    >>> with errors_of("EBM", "x"):
    ...     raise ValueError("the data are empty.")
    Traceback (most recent call last):
    ValueError: EBM 'x': the data are empty.
    """
    try:
        yield
    except (ValueError, TypeError, NotImplementedError, MemoryError) as error:
        if not isinstance(name, str) or str(error).startswith(f"{kind} "):
            raise
        ours = traceback.extract_tb(error.__traceback__)[-1].filename.startswith(_PACKAGE)
        raise type(error)(f"{kind} {name!r}: {error}") from (error.__cause__ if ours else error)
