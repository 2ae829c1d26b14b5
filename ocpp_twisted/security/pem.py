"""Files that hold certificates and keys; what is wrong with one is told in a sentence.

Imports cryptography and the errors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from ocpp_twisted.errors import ConfigurationError

__all__ = ["read", "read_key"]

_Parsed = TypeVar("_Parsed")


def read(path: Path, what: str, parse: Callable[[bytes], _Parsed]) -> _Parsed:
    """What a file holds.

    :param what: what it should hold, for the sentence.
    :raises ConfigurationError: if it cannot be read, or holds something else.
    """
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read the {what} {path}: {error.strerror}") from error
    except TypeError as error:  # what cryptography says of a key with a passphrase
        raise ConfigurationError(
            f"the {what} {path} is encrypted: give it without its passphrase "
            "(openssl pkey -in FILE -out NEW-FILE)"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"{path} holds no {what} in PEM form that can be used: it should begin with -----BEGIN"
        ) from error


def read_key(path: Path) -> PrivateKeyTypes:
    """A private key that is not encrypted.

    :raises ConfigurationError: as `read`.
    """
    return read(path, "private key", lambda data: serialization.load_pem_private_key(data, None))
