"""Arrays that nobody can change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["frozen"]


def frozen(array, dtype=None) -> NDArray:
    """A read-only array: a copy, unless nobody can change the one that is given.

    Examples
    --------
    >>> once = frozen([1.0, 2.0])
    >>> frozen(once) is once, frozen(np.ones(2)).flags.writeable
    (True, False)
    """
    own = isinstance(array, np.ndarray) and not array.flags.writeable and array.base is None
    if own and dtype in (None, array.dtype):
        return array  # nobody can change it, so it may be shared
    copy = np.array(array, dtype=dtype)
    copy.flags.writeable = False
    return copy
