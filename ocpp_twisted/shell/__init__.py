"""A running server, asked and commanded from a shell: ``python -m ocpp_twisted``.

Thin: everything goes over the server's HTTP interface (`ocpp_twisted.plugins.http`), and nothing
of the library is imported but the place of its files, so that it starts at once. ``client`` asks,
``payload`` reads ``key=value``, ``tables`` and ``tail`` write what comes.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote, urlencode

from ocpp_twisted.data_directory import data_directory
from ocpp_twisted.shell.client import Client, Exit, Failed, token_for
from ocpp_twisted.shell.payload import BadPayload, payload_of
from ocpp_twisted.shell.tables import (
    CHARGE_POINTS,
    NODES,
    charge_point_row,
    node_row,
    plain,
    table,
)
from ocpp_twisted.shell.tail import lines_of

__all__ = ["main"]

_URL = "http://127.0.0.1:8080"
#: Seconds for a call, if neither the person nor the server has a smaller limit.
_LONGEST_CALL = 3600.0
_CODES = """exit codes:
  0  done; for a call: the charge point's answer (CALLRESULT) is printed
  1  the charge point refused the call (CALLERROR)
  2  the command is wrong, or there is no such thing; nothing was sent
  3  not now: not connected, not accepted, or too busy; nothing was sent
  4  no answer: the charge point may have acted on the call
  5  the server cannot be reached, or does not let you in
"""


def main(
    arguments: Sequence[str] | None = None,
    out: TextIO | None = None,
    errors: TextIO | None = None,
) -> int:
    """Run the command line.

    :param arguments: without the program's name; the process's own by default.
    :returns: the exit code.
    """
    asked = _parsed(arguments)
    out, errors = out or sys.stdout, errors or sys.stderr
    try:
        token = token_for(asked.url, Path(asked.data_dir or data_directory()))
        code: Exit = asked.run(asked, Client(asked.url, token), out)
    except Failed as failed:
        print(f"ocpp: {plain(str(failed))}", file=errors)
        code = failed.code
    except BadPayload as error:
        print(f"ocpp: {error}", file=errors)
        code = Exit.WRONG
    except BrokenPipeError:
        # Whoever reads has enough; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.DONE
    except KeyboardInterrupt:
        return 130
    return int(code)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    asked, left = parser.parse_known_args(arguments)
    # argparse takes no more of a list's items once an option has stood between them.
    if any(each.startswith("-") for each in left) or (left and "fields" not in asked):
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    if left:
        asked.fields += left
    return asked


def _usual(*, before: bool) -> argparse.ArgumentParser:
    """The options of every command.

    :param before: whether they stand before the command. Those behind it have no defaults, which
        would undo what stands before it.
    """
    usual = argparse.ArgumentParser(add_help=False)
    usual.add_argument(
        "--url",
        default=os.environ.get("OCPP_URL", _URL) if before else argparse.SUPPRESS,
        help=f"of the server [default: OCPP_URL, or {_URL}]",
    )
    usual.add_argument(
        "-d",
        "--data-dir",
        metavar="DIRECTORY",
        default=None if before else argparse.SUPPRESS,
        help="where the server keeps its files; the token is read there for a server on this "
        "machine, unless OCPP_TOKEN has one",
    )
    return usual


def _parser() -> argparse.ArgumentParser:
    usual = _usual(before=False)
    parser = argparse.ArgumentParser(
        prog="python -m ocpp_twisted",
        parents=[_usual(before=True)],
        description="Ask and command a central system that runs with --http.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    call = commands.add_parser(
        "call",
        parents=[usual],
        help="send a charge point a command",
        epilog="example: call CP1 RemoteStartTransaction idTag=RED connectorId=1\n\n" + _CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    call.add_argument("id", help="of the charge point")
    call.add_argument("action", help="for example Reset")
    call.add_argument(
        "fields",
        metavar="field=value",
        nargs="*",
        help="of the payload; the value is JSON, or else a text; a.b=value is a field of a field; "
        "a text of digits needs quotes: 'idTag=\"123\"'",
    )
    call.add_argument(
        "--json",
        metavar="PAYLOAD",
        help="the whole payload, in place of fields; - reads it from stdin; giving both is refused",
    )
    call.add_argument("--timeout", type=float, metavar="SECONDS", help="to wait for the answer")
    call.add_argument("--name", default="", help="under which the charge point connects")
    call.set_defaults(run=_call)

    password = commands.add_parser(
        "password",
        parents=[usual],
        help="enter a charge point's password, which is read from the terminal or stdin",
    )
    password.add_argument("id", help="of the charge point")
    password.add_argument("--hex", action="store_true", help="it is written as hexadecimal digits")
    password.add_argument("--name", default="", help="under which the charge point connects")
    password.set_defaults(run=_password)

    rotate = commands.add_parser(
        "rotate",
        parents=[usual],
        help="give a charge point a new random password, which nobody gets to see",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rotate.add_argument("id", help="of the charge point")
    rotate.add_argument("--name", default="", help="under which the charge point connects")
    rotate.set_defaults(run=_rotate)

    charge_points = commands.add_parser(
        "charge-points", parents=[usual], help="list the charge points"
    )
    charge_points.add_argument(
        "--connected", action="store_true", help="only those that are connected"
    )
    charge_points.set_defaults(run=_charge_points)

    nodes = commands.add_parser("nodes", parents=[usual], help="list the gateways and workers")
    nodes.set_defaults(run=_nodes)

    tail = commands.add_parser(
        "tail", parents=[usual], help="show what a charge point says and hears, as it happens"
    )
    tail.add_argument("id", help="of the charge point")
    tail.add_argument("--name", default="", help="under which the charge point connects")
    tail.set_defaults(run=_tail)
    return parser


def _call(asked: argparse.Namespace, client: Client, out: TextIO) -> Exit:
    payload = payload_of(asked.fields, sys.stdin.read() if asked.json == "-" else asked.json)
    # The payload goes as it is written: numbers keep their spelling.
    timeout = "" if asked.timeout is None else f',"timeout":{json.dumps(asked.timeout)}'
    body = f'{{"action":{json.dumps(asked.action)},"payload":{payload}{timeout}}}'
    patience = (asked.timeout or _LONGEST_CALL) + 10
    answer = client.ask("POST", f"{_path(asked)}/calls{_query(name=asked.name)}", body, patience)
    if answer["outcome"] == "CALLERROR":
        details = answer["errorDetails"]
        more = f" {json.dumps(details, ensure_ascii=False)}" if details else ""
        text = f"{answer['errorCode']}: {answer['errorDescription'] or 'no description'}{more}"
        raise Failed(f"{asked.id} answered {text}", Exit.REFUSED)
    print(plain(json.dumps(answer["payload"], indent=2, ensure_ascii=False), "\n"), file=out)
    for name, number in answer.get("given", {}).items():
        print(f"ocpp: the server has given out {name} {number}", file=sys.stderr)
    return Exit.DONE


def _password(asked: argparse.Namespace, client: Client, out: TextIO) -> Exit:
    if sys.stdin.isatty():
        text = getpass.getpass(f"password of {asked.id}: ")
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    body = json.dumps({"hex" if asked.hex else "password": text})
    client.tell("PUT", f"{_path(asked)}/password{_query(name=asked.name)}", body)
    return Exit.DONE


def _rotate(asked: argparse.Namespace, client: Client, out: TextIO) -> Exit:
    path = f"{_path(asked)}/password{_query(name=asked.name)}"
    status = client.ask("POST", path, patience=_LONGEST_CALL)["status"]
    if status not in ("Accepted", "RebootRequired"):
        raise Failed(f"{asked.id} answered {status}: it keeps its password", Exit.REFUSED)
    print(plain(status), file=out)
    return Exit.DONE


def _charge_points(asked: argparse.Namespace, client: Client, out: TextIO) -> Exit:
    only = {"connected": "true"} if asked.connected else {}
    rows, after = [], None
    while True:
        query = _query(limit=1000, after=after, **only)
        page = client.ask("GET", f"/api/v1/charge-points{query}")
        rows += [charge_point_row(one) for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    return _print_table(CHARGE_POINTS, rows, out)


def _nodes(asked: argparse.Namespace, client: Client, out: TextIO) -> Exit:
    nodes = client.ask("GET", "/api/v1/nodes")
    return _print_table(NODES, [node_row(one) for one in nodes], out)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], out: TextIO) -> Exit:
    for line in table(columns, rows):
        print(line, file=out)
    if not rows:
        print("there is none", file=out)
    return Exit.DONE


def _tail(asked: argparse.Namespace, client: Client, out: TextIO) -> Exit:
    kinds = "connection,status,transaction,message"
    query = _query(kinds=kinds, chargePoint=asked.id, name=asked.name)
    with client.listen(f"/api/v1/events{query}") as events:
        recent = client.ask("GET", f"{_path(asked)}/messages{_query(name=asked.name)}")
        for line in lines_of(recent, events):
            print(line, file=out, flush=True)
    raise Failed("the server has closed the stream", Exit.UNREACHABLE)


def _path(asked: argparse.Namespace) -> str:
    return f"/api/v1/charge-points/{quote(asked.id, safe='')}"


def _query(**parameters: Any) -> str:
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""
