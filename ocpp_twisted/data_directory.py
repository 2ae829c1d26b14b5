"""Where a server keeps files, unless it is told otherwise. Imports nothing of the package."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["HTTP_TOKEN", "data_directory"]

#: The file in it that holds the HTTP server's bearer token.
HTTP_TOKEN = "http-token"


def data_directory() -> Path:
    """Systemd's word for it, or the user's own place."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.partition(":")[0])
    share = os.environ.get("XDG_DATA_HOME")
    return (Path(share) if share else Path.home() / ".local" / "share") / "ocpp_twisted"
