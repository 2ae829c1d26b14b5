"""Whether a file could be written, seen without writing. Imports nothing of the package."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["obstacle"]


def obstacle(file: Path, own_directory: Path | None = None) -> str:
    """Why a file can neither be written nor made; the empty text if nothing speaks against it.

    :param own_directory: a directory that is made when it is needed, with those above it. Any
        other has to be there.
    """
    if os.path.exists(file):  # noqa: PTH110  # Path's raises if it may not look
        if file.is_dir():
            return os.strerror(errno.EISDIR)
        return "" if os.access(file, os.R_OK | os.W_OK) else os.strerror(errno.EACCES)
    directory = file.absolute().parent
    if own_directory is not None and directory == own_directory.absolute():
        while not os.path.lexists(directory):
            directory = directory.parent
    if not os.path.exists(directory):  # noqa: PTH110
        return f"there is no directory {directory} (make it)"
    if not os.path.isdir(directory):  # noqa: PTH112
        return f"{directory} is no directory"
    if not os.access(directory, os.W_OK | os.X_OK):
        return f"nothing can be made in {directory}: {os.strerror(errno.EACCES)}"
    return ""
