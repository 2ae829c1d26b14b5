"""The subjects of NATS that gateways and workers use, all in one place.

Imports the identity. A subject is tokens with dots between them; `token` makes one of any name, so
that no id can be mistaken for another one, or for a wildcard. Source: NATS documentation,
"Subject-Based Messaging".
"""

from __future__ import annotations

import re

from ocpp_twisted.identity import Identity

__all__ = ["Subjects", "charge_point_key", "charge_point_of", "token", "untoken", "version_token"]

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")
_EMPTY = "="
_TOKEN = re.compile(r"=|(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")


def token(text: str) -> str:
    """Any text as a token: letters, digits, ``_`` and ``-`` of ASCII stay as they are.

    Every other byte of its UTF-8 becomes ``=`` and two digits, as ``=2E`` for a dot. The empty
    text is a lone ``=``. It is good as a key of a key-value bucket too.
    """
    if _PLAIN.fullmatch(text):
        return text
    if not text:
        return _EMPTY
    return _UNSAFE.sub(lambda found: b"=%02X" % found[0][0], text.encode()).decode()


def untoken(text: str) -> str:
    """The text of which `token` has made this.

    :raises ValueError: if it cannot have been `token`.
    """
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"{text!r} is no token of a subject")
    if text == _EMPTY:
        return ""
    plain = re.sub(rb"=(..)", lambda found: bytes.fromhex(found[1].decode()), text.encode())
    return plain.decode()


def version_token(version: str) -> str:
    """An OCPP version as a token: ``v16``, ``v20``, ``v201``, ``v21``."""
    return f"v{version.replace('.', '')}"


class Subjects:
    """The subjects below one prefix. Systems with different prefixes do not know of each other.

    :param prefix: tokens, with dots between them if there are several.
    :raises ValueError: if it is none.
    """

    def __init__(self, prefix: str = "ocpp") -> None:
        if not all(_PLAIN.fullmatch(each) for each in prefix.split(".")):
            raise ValueError(
                f"{prefix!r} is no prefix of subjects: use letters, digits, _ and -, "
                "and dots between them"
            )
        self._prefix = prefix

    # -- passive: from gateways to workers ----------------------------------------------------

    def action(self, group: str, version: str, action: str) -> str:
        """Where a CALL, or a SEND, of charge points goes."""
        return f"{self._prefix}.action.{token(group)}.{version_token(version)}.{token(action)}"

    def actions(self, group: str) -> str:
        """All that goes to a group of workers with `action`."""
        return f"{self._prefix}.action.{token(group)}.>"

    def result(self, group: str, version: str, action: str) -> str:
        """Where it is told what a charge point has answered to a call of ours."""
        return f"{self._prefix}.result.{token(group)}.{version_token(version)}.{token(action)}"

    def results(self, group: str) -> str:
        """All that goes to a group of workers with `result`."""
        return f"{self._prefix}.result.{token(group)}.>"

    def online(self, group: str) -> str:
        """Where it is told that a charge point has connected."""
        return f"{self._prefix}.online.{token(group)}"

    def offline(self, group: str) -> str:
        """Where it is told that a charge point has no connection any more."""
        return f"{self._prefix}.offline.{token(group)}"

    # -- active: from anybody to the gateway that holds a charge point ------------------------

    def call(self, charge_point: str | Identity) -> str:
        """Where calls for one charge point go; nobody listens there if it is offline."""
        return f"{self._prefix}.call.{charge_point_key(charge_point)}"

    def fence(self, node: str) -> str:
        """Where a gateway is told that another one holds a charge point now."""
        return f"{self._prefix}.node.{token(node)}.fence"

    # -- for everybody ------------------------------------------------------------------------

    def event(self, kind: str, charge_point: str | Identity) -> str:
        """Where it is told what happens at a charge point."""
        return f"{self._prefix}.event.{token(kind)}.{charge_point_key(charge_point)}"

    @property
    def owner(self) -> str:
        """Below this, and a charge point's key, it is told which gateway holds it now."""
        return f"{self._prefix}.owner"

    def bucket(self, of: str) -> str:
        """The name of a key-value bucket."""
        prefix = self._prefix.replace("_", "__").replace(".", "_-")  # it may have no dots
        return f"{prefix}-{of}"


def charge_point_key(charge_point: str | Identity) -> str:
    """A charge point's name and id as two tokens: also its key in a bucket."""
    identity = Identity.of(charge_point)
    return f"{token(identity.name)}.{token(identity.id)}"


def charge_point_of(key: str) -> Identity:
    """The charge point of which `charge_point_key` has made this.

    :raises ValueError: if it cannot have been `charge_point_key`.
    """
    name, dot, charge_point_id = key.partition(".")
    if not dot:
        raise ValueError(f"{key!r} is no key of a charge point")
    return Identity(untoken(charge_point_id), untoken(name))
