"""The bearer token: given, or made at the first start and kept.

Imports the errors and `writable`.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.writable import obstacle

__all__ = ["check_kept", "checked", "kept_token"]

_SHORTEST = 16


def checked(token: str, where: str) -> str:
    """A token that can be used.

    :param where: where it comes from, for the error.
    :raises ConfigurationError: if it cannot.
    """
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(
            f"the token of {where} cannot be used: it must have {_SHORTEST} or more characters, "
            "all of them ASCII and none of them a blank; "
            "`openssl rand -hex 32` makes a good one"
        )
    return token


def check_kept(path: Path) -> None:
    """See whether `kept_token` has a token, or could make one; nothing is made.

    :raises ConfigurationError: if it has not.
    """
    if reason := obstacle(path, path.parent):
        raise ConfigurationError(f"the token's file {path} cannot be used: {reason}")
    if not path.exists():
        return
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(f"others may read {path}: run `chmod 600 {path}`")
    try:
        checked(path.read_text().strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the token's file cannot be used: {error}") from error


def kept_token(path: Path) -> str:
    """The token in a file of the data directory; both are made if they are not there.

    :raises ConfigurationError: if the file cannot be used.
    """
    try:
        check_kept(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return checked(path.read_text().strip(), str(path))
        with os.fdopen(file, "w") as opened:
            opened.write(f"{(token := secrets.token_urlsafe(32))}\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the token's file cannot be used: {error}") from error
    return token
