"""Requests to the server's HTTP interface, and what their failures mean to a person.

Imports the standard library, and the place of the library's files. `http.client` follows no
redirection and knows no proxy, so that the token goes to the server that was named only.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ocpp_twisted.data_directory import HTTP_TOKEN

__all__ = ["Client", "Exit", "Failed", "token_for"]

#: Seconds without any sign of the server; its streams send a comment every 15 seconds.
_SILENCE = 60.0


class Exit(IntEnum):
    """The exit codes."""

    DONE = 0
    REFUSED = 1
    WRONG = 2
    NOT_NOW = 3
    UNKNOWN = 4
    UNREACHABLE = 5


_CODES = {
    409: Exit.NOT_NOW,
    429: Exit.NOT_NOW,
    500: Exit.UNKNOWN,
    502: Exit.UNKNOWN,
    503: Exit.NOT_NOW,
    504: Exit.UNKNOWN,
}


class Failed(Exception):
    """What was asked was not done; the text is a sentence for a person.

    :ivar code: the exit code.
    """

    def __init__(self, text: str, code: Exit) -> None:
        super().__init__(text)
        self.code = code


def token_for(url: str, directory: Path) -> str | None:
    """The bearer token: OCPP_TOKEN, or that of a server on this machine.

    :param directory: where that server keeps its files.
    """
    if token := os.environ.get("OCPP_TOKEN"):
        return token
    host = urlsplit(url).hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    try:
        return (directory / HTTP_TOKEN).read_text().strip() if here else None
    except OSError:
        return None


class Client:
    """Asks one server.

    :param url: for example ``http://127.0.0.1:8080``.
    """

    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            text = f"{url} is no URL of a server: write it like http://127.0.0.1:8080"
            raise Failed(text, Exit.WRONG)
        self._url = url
        self._parts = parts
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def ask(
        self, method: str, path: str, body: str | None = None, patience: float = _SILENCE
    ) -> Any:
        """The JSON that comes back.

        :param patience: seconds that the server has.
        :raises Failed: if the server tells of a problem, or does not answer.
        """
        with self._answer(method, path, body, patience) as response:
            return json.loads(response.read())

    def tell(self, method: str, path: str, body: str) -> None:
        """Ask for something that has no answer but that it is done.

        :raises Failed: as `ask`.
        """
        with self._answer(method, path, body, _SILENCE):
            pass

    @contextmanager
    def listen(self, path: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """Server-sent events, as their names and their data, as long as the server goes on."""
        with self._answer("GET", path, None, _SILENCE) as response:
            yield _events(response)

    @contextmanager
    def _answer(
        self, method: str, path: str, body: str | None, patience: float
    ) -> Iterator[HTTPResponse]:
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        headers = {**self._headers, "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            port = self._parts.port
            connection = kind(self._parts.hostname or "", port, timeout=patience)
            path = self._parts.path.rstrip("/") + path
            connection.request(method, path, body and body.encode(), headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise _problem(response)
            try:
                yield response
            finally:
                connection.close()
        except BrokenPipeError:
            raise
        except TimeoutError as error:
            text = f"the server has not answered for {patience:g} seconds"
            raise Failed(text, Exit.UNKNOWN) from error
        except (OSError, HTTPException, ValueError) as error:
            text = (
                f"no server answers at {self._url} ({error or type(error).__name__}): start one "
                "with `twistd -n ocpp --ws 9000 --http 8080`, or give --url"
            )
            raise Failed(text, Exit.UNREACHABLE) from error


def _events(response: HTTPResponse) -> Iterator[tuple[str, Any]]:
    fields: dict[str, str] = {}
    for line in response:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield fields.get("event", ""), json.loads(fields["data"])
            fields = {}


def _problem(response: HTTPResponse) -> Failed:
    code = _CODES.get(response.status, Exit.WRONG)
    try:
        problem = json.loads(response.read())
        place = f" (at {problem['path']})" if problem.get("path") else ""
        text = f"{problem['title']}: {problem['detail']}{place}"
        if problem.get("sent") is False:
            code = Exit.NOT_NOW
    except (ValueError, KeyError, TypeError):
        return Failed(f"the server answered {response.status} {response.reason}", code)
    if re.search("expected a string, got an? (integer|number)", text):
        text += "; a text of digits needs quotes: 'field=\"123\"'"
    if response.status == 401:
        text += "; set OCPP_TOKEN, or name the server's files with --data-dir"
    return Failed(text, code)
