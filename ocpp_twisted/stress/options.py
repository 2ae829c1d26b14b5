"""The command line of the stress tool.

Imports the errors and its neighbours. What is wrong is said in a sentence, before anything starts.
"""

from __future__ import annotations

import argparse
import re
import secrets
from collections.abc import Sequence
from ipaddress import ip_address
from math import inf, isfinite
from pathlib import Path
from urllib.parse import urlsplit

from twisted.internet.protocol import Factory

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.identity import unusable
from ocpp_twisted.stress.messages import KINDS
from ocpp_twisted.stress.plan import Plan, read_ids
from ocpp_twisted.stress.room import processes, sources
from ocpp_twisted.versions import CATALOGUES
from ocpp_twisted.websocket.client_tls import ClientTLS
from ocpp_twisted.websocket.target import Target

__all__ = ["parse", "plans"]

#: What only a wss:// URL can use.
_FOR_TLS = ("ca", "cert", "key", "insecure")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for.

    :raises SystemExit: with 2, if it cannot be understood; the sentence is told.
    """
    return _parser().parse_args(arguments)


def plans(options: argparse.Namespace) -> list[Plan]:
    """What each process has to do.

    :raises ConfigurationError: if that cannot be done; the text says why.
    """
    connections, urls = options.connections, options.url
    if options.ids is not None:
        _check_ids(options.ids, connections)
    tls = ClientTLS(ca=options.ca, cert=options.cert, key=options.key, verify=not options.insecure)
    for url in urls:
        target = Target.at(url, f"{options.prefix}{connections}")
        if target.secure:
            tls.wrap(target.host, Factory())
    if not any(urlsplit(url).scheme == "wss" for url in urls):
        for name in _FOR_TLS:
            if getattr(options, name):
                raise ConfigurationError(f"--{name} is for wss:// only, and no --url is that")
    number = processes(connections, connections * options.rate, options.processes)
    addresses = sources(connections, urls, options.source)
    run = secrets.token_hex(4)
    return [
        Plan(
            urls=urls,
            version=options.version,
            first=first,
            step=number,
            connections=connections,
            rate=options.rate,
            duration=options.duration,
            ramp=options.ramp,
            timeout=options.timeout,
            kind=options.message,
            boot=options.boot,
            prefix=options.prefix,
            ids=options.ids,
            sources=addresses,
            password=options.password,
            ca=_text(options.ca),
            cert=_text(options.cert),
            key=_text(options.key),
            verify=not options.insecure,
            run=run,
        )
        for first in range(number)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ocpp_twisted.stress",
        description="Loads a central system with charge points that send requests, and shows how "
        "long its answers take. Exit status: 0, all has gone well; 1, something failed; 2, it "
        "could not begin.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "-u",
        "--url",
        metavar="URL",
        type=_url,
        action="append",
        required=True,
        help="where the central system is: ws://HOST:PORT or wss://HOST:PORT/PATH; a charge "
        "point's id is put behind it. Repeatable: charge points take them in turn",
    )
    add(
        "-c",
        "--connections",
        metavar="N",
        type=_whole,
        default="1000",
        help="charge points [default: %(default)s]",
    )
    add(
        "-n",
        "--rate",
        metavar="X",
        type=_positive,
        default="1",
        help="requests a second of each charge point; 0.1 for one in ten seconds "
        "[default: %(default)s]",
    )
    add(
        "-d",
        "--duration",
        metavar="TIME",
        type=_duration,
        default="60s",
        help="how long they send, once all have connected: 90s, 5m, 1h [default: %(default)s]",
    )
    add("--version", choices=CATALOGUES, default="1.6", help="of OCPP [default: %(default)s]")
    add(
        "--message",
        choices=KINDS,
        default="heartbeat",
        help="what they send [default: %(default)s]",
    )
    add(
        "--no-boot",
        dest="boot",
        action="store_false",
        help="send no BootNotification after connecting",
    )
    add(
        "--ramp",
        metavar="X",
        type=_positive,
        default="1000",
        help="connections that begin in a second [default: %(default)s]",
    )
    add(
        "--timeout",
        metavar="TIME",
        type=_duration,
        default="30s",
        help="after which a request, or an attempt to connect, has failed [default: %(default)s]",
    )
    add(
        "--processes",
        metavar="N",
        type=_whole,
        help="processes that carry the load [default: as few as can]",
    )
    add(
        "--source",
        metavar="ADDRESS",
        type=_address,
        action="append",
        default=[],
        help="a local address to connect from, repeatable [default: what the system takes; to "
        "127.0.0.1, 127.0.0.2 and so on as are needed]",
    )
    add(
        "--prefix",
        default="stress-",
        help="of the charge points' ids, before a number [default: %(default)s]",
    )
    add("--ids", metavar="FILE", help="take the ids from this file, one a line")
    add("--password", help="for HTTP Basic; the user is the charge point's id")
    add("--ca", metavar="FILE", type=Path, help="PEM with the CAs to trust, for wss://")
    add("--cert", metavar="FILE", type=Path, help="PEM with a client certificate")
    add("--key", metavar="FILE", type=Path, help="PEM with its key")
    add("--insecure", action="store_true", help="take any certificate of the central system")
    add("--json", metavar="FILE", help="write the result as JSON; - for standard output")
    return parser


def _check_ids(path: str, connections: int) -> None:
    try:
        ids = read_ids(path)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"--ids: {path} cannot be read: {why}") from error
    if len(set(ids)) < connections:
        raise ConfigurationError(
            f"--ids: {path} has {len(set(ids))} different ids, for {connections} connections"
        )
    if len(set(ids)) < len(ids):
        raise ConfigurationError(f"--ids: {path} has an id twice")
    for one in ids[:connections]:
        why = unusable(one)
        if why:
            raise ConfigurationError(f"--ids: {path}: {one[:50]!r} {why}")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = inf
    if not (isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    hours, minutes, seconds = found.groups() if found else (None, None, None)
    time = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)
    if not time:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: write 90s, 5m or 1h30m")
    return time


def _url(text: str) -> str:
    try:
        Target.at(text, "CP")
        parts = urlsplit(text)
    except (ConfigurationError, ValueError):
        parts = urlsplit("")
    if not parts.netloc or parts.query:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not where a central system is: write ws://HOST:PORT or wss://HOST:PORT, "
            "with any path before the charge points' ids"
        )
    return text


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address") from None
