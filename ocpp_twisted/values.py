"""What single options may be: each function makes a value of the text that somebody has given.

Imports the floors below. All of them raise ValueError if a text is not what they make values of;
its own text says how it should be. `ocpp_twisted.options` has the options.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.cred.checkers import (
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import InvalidAuthType, makeChecker
from twisted.internet.endpoints import serverFromString

from ocpp_twisted.quirks import BUILT_IN, Quirks
from ocpp_twisted.security import ocsp
from ocpp_twisted.security.handshake import SecurityProfile

__all__ = [
    "checker",
    "endpoint_description",
    "http_description",
    "nats_url",
    "one_of",
    "origin",
    "profile",
    "quirks",
    "responder",
    "route",
    "seconds",
    "seconds_not_0",
    "whole",
]


def profile(text: str) -> tuple[str, SecurityProfile]:
    """A security profile, and what it is for: a scheme, a port, or everything (empty)."""
    which, _, number = text.rpartition("=")
    if number not in ("0", "1", "2", "3"):
        raise ValueError(
            f"{text!r} is no security profile: write 0, 1, 2 or 3, or ws=1, wss=3, or 9443=3 for "
            "the listener --wss 9443"
        )
    return which, SecurityProfile(int(number))


_SYSTEMD = re.compile(r"systemd:domain=(?:INET6?|UNIX):(?:index=\d+|name=[^:=]+)")


def endpoint_description(text: str) -> str:
    """A port number or a Twisted endpoint description, as an endpoint description."""
    if text.isdecimal():
        if int(text) > 65535:
            raise ValueError(f"{text} is no port: ports end at 65535")
        return f"tcp:{text}"
    if _SYSTEMD.fullmatch(text):
        return text  # whether systemd hands over the socket is seen when it is needed
    try:
        serverFromString(None, text)
    except Exception as error:  # each kind of endpoint has its own way of being wrong
        raise ValueError(
            f"{text!r} is neither a port (9000) nor a Twisted endpoint "
            f"(tcp:9000:interface=127.0.0.1): {error}"
        ) from error
    return text


def checker(text: str) -> ICredentialsChecker:
    """What knows charge points' passwords, by Twisted's name for it."""
    kind = text.partition(":")[0]  # what follows may be a password
    try:
        checker: ICredentialsChecker = makeChecker(text)
    except InvalidAuthType:
        raise ValueError(f"there is no {kind!r}: --help-auth lists what there is") from None
    except Exception as error:  # each kind has its own way of being wrong
        raise ValueError(
            f"{kind} cannot be used so: see --help-auth-type {kind} ({type(error).__name__})"
        ) from None
    if IUsernamePassword not in checker.credentialInterfaces:
        raise ValueError(f"{kind} checks no user names and passwords: see --help-auth")
    if isinstance(checker, FilePasswordDB):
        try:  # Twisted opens it when the first charge point comes
            with Path(checker.filename).open("rb"):
                pass
        except OSError as error:
            raise ValueError(f"cannot read {checker.filename}: {error.strerror}") from None
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        users: Any = checker.users  # Twisted makes it of texts, and credentials are bytes
        checker.users = {name.encode(): word.encode() for name, word in users.items()}
    return checker


def http_description(text: str) -> str:
    """As `endpoint_description`; a port number is one of this machine only."""
    description = endpoint_description(text)
    return f"{description}:interface=127.0.0.1" if text.isdecimal() else description


def origin(text: str) -> str:
    """An origin, as browsers tell it."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"{text!r} is no origin: write it like https://depot.example")
    return text


def nats_url(text: str) -> str:
    """The URL of a NATS server."""
    parts = urlsplit(text)
    if parts.scheme not in ("nats", "tls") or not parts.hostname:
        raise ValueError(f"{text!r} is no NATS server: write it like nats://HOST:4222")
    return text


def route(text: str) -> tuple[str, str]:
    """An action, and the group of workers that it goes to."""
    action, _, group = text.partition("=")
    if not action or not group:
        raise ValueError(f"{text!r} is no route: write ACTION=GROUP, for example Authorize=tags")
    return action, group


def seconds(text: str) -> float:
    """A number of seconds."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"{text!r} is not a number of seconds, 0 or more")
    return number


def seconds_not_0(text: str) -> float:
    """A number of seconds that is more than 0."""
    number = seconds(text)
    if not number:
        raise ValueError("0 seconds are too few: everything would be late at once")
    return number


def whole(what: str, least: int = 1) -> Callable[[str], int]:
    """A check for a number of something."""

    def check(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ValueError(f"{text!r} is not a number of {what}, {least} or more")
        return int(text)

    return check


def quirks(text: str) -> Quirks | Path:
    """Quirk profiles that are built in, or the file that holds them."""
    return BUILT_IN[text] if text in BUILT_IN else Path(text)


def one_of(*words: str) -> Callable[[str], str]:
    """A check for one of these words."""

    def check(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not one of: {', '.join(words)}")
        return text

    return check


def responder(text: str) -> str:
    """An OCSP responder whose word counts; ``*`` for any."""
    if text != "*":
        ocsp.responder(text)
    return text
