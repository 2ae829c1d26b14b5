"""The options of the server, each told once: for the command line and for the configuration file.

Imports `values`, which says what each may be, and floors below. `ocpp_twisted.command_line` and
`ocpp_twisted.config` read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ocpp_twisted import values
from ocpp_twisted.logs import FORMATS, level
from ocpp_twisted.security.binding import Binding
from ocpp_twisted.security.proxies import network

__all__ = ["OPTIONS", "RECORDS", "Option"]


#: See `Option.plugin`.
RECORDS = "whatever keeps records"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    :ivar help: a sentence or two, for ``--help``.
    :ivar check: makes a value of the text that stands on the command line; a ValueError says
        what is wrong with it. A `Path` that comes of a file is relative to that file's directory.
    :ivar types: those that it has in a file, where it is turned into the text of the command line.
    :ivar default: text that holds if nothing is given; None if there is none.
    :ivar several: whether it may be given several times. Its value is a list then.
    :ivar short: its letter on the command line.
    :ivar needs: the options of which one is needed for it to have an effect; else it is refused.
    :ivar plugin: the plug-in that it is for, and the key of that plug-in's configuration. `RECORDS`
        stands for whatever keeps records: it may be ``local``, or a subclass by another name.
    """

    help: str
    check: Callable[[str], Any] = str
    types: tuple[type, ...] = (str,)
    default: str | None = None
    several: bool = False
    short: str = ""
    needs: tuple[str, ...] = ()
    plugin: tuple[str, str] | None = None

    @property
    def is_flag(self) -> bool:
        """Whether it stands on the command line without a value."""
        return self.types == (bool,)


_whole_seconds, _bytes = values.whole("whole seconds"), values.whole("bytes", 1024)
_files, _days = values.whole("files"), values.whole("days", 0)
_PORT, _NUMBER, _FLAG = (int, str), (int, float), (bool,)

#: The options by their names, as they stand behind ``--`` and in the file.
OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "ws": Option(
            help="Listen for WebSockets on a port (9000) or a Twisted endpoint "
            "(tcp:9000:interface=127.0.0.1).",
            check=values.endpoint_description,
            types=_PORT,
            several=True,
        ),
        "wss": Option(
            help="Listen for WebSockets over TLS: a port (9443) or an endpoint, as for --ws.",
            check=values.endpoint_description,
            types=_PORT,
            several=True,
        ),
        "wss-legacy": Option(
            help="Listen for old charge points that know no TLS after 1.0 or 1.1, which can be "
            "broken into: a port or an endpoint, as for --ws.",
            check=values.endpoint_description,
            types=_PORT,
            several=True,
        ),
        "tls-cert": Option(
            help="PEM file: the certificate for --wss, then its intermediate certificates. Give "
            "an ECDSA and an RSA one, or one for each server name; the first is for who asks for "
            "no name. Without it one for development is made and kept in the data directory.",
            check=Path,
            needs=("wss", "wss-legacy"),
            several=True,
        ),
        "tls-key": Option(
            help="PEM file: the private key of --tls-cert, in the same order.",
            check=Path,
            needs=("tls-cert",),
            several=True,
        ),
        "tls-client-ca": Option(
            help="PEM file: CAs that issue the charge points' certificates (security profile 3).",
            check=Path,
            needs=("wss", "wss-legacy"),
            several=True,
        ),
        "tls-crl": Option(
            help="File, PEM or DER: what a CA of --tls-client-ca has revoked.",
            check=Path,
            needs=("tls-client-ca",),
            several=True,
        ),
        "client-certificate-id": Option(
            help="How a charge point's certificate names its id: exact (CN or a SAN is the id), "
            "suffix=.cp.example (the id comes before that), or serial (the CN is its serial "
            "number).",
            check=Binding.parse,
            default="exact",
            needs=("tls-client-ca", "proxy-identity-header"),
        ),
        "client-certificate-organization": Option(
            help="Whose client certificates are good: the O in them. [default: anybody's]",
            several=True,
            needs=("tls-client-ca",),
        ),
        "security-profile": Option(
            help="How charge points prove who they are: 0 not at all, 1 by password on --ws, 2 by "
            "password on --wss, 3 by certificate on --wss. For all listeners, or for some: ws=1, "
            "wss=3, 9443=3 (docs/security.md). [default: 0]",
            check=values.profile,
            types=(int, str),
            several=True,
        ),
        "auth": Option(
            help="Who knows charge points' passwords, besides the records: file:PATH, unix... "
            "(--help-auth). Asked in their order.",
            check=values.checker,
            several=True,
            needs=("security-profile",),
        ),
        "hide-unknown": Option(
            help="With a security profile from 1 on, give a charge point that is not known the "
            "answer to a wrong password or certificate, instead of 404.",
            types=_FLAG,
            needs=("security-profile",),
        ),
        "proxy": Option(
            help="Address or network (10.0.0.0/8) of proxies: X-Forwarded-For and "
            "--proxy-identity-header count from there only, and haproxy: endpoints "
            "(haproxy:tcp:9000) let nobody else in. [default: none]",
            check=network,
            several=True,
        ),
        "proxy-identity-header": Option(
            help="Header in which a --proxy that ends TLS tells the name in the client certificate "
            "that it has verified, for security profile 3.",
            needs=("proxy",),
        ),
        "reuse-port": Option(
            help="Share the ports: start the same command several times, and the kernel spreads "
            "the charge points over the processes.",
            types=_FLAG,
        ),
        "http": Option(
            help="Serve commands and records over HTTP: a port (8080) of this machine only, or a "
            "Twisted endpoint (docs/http.md).",
            check=values.http_description,
            types=_PORT,
        ),
        "http-token-file": Option(
            help="File that holds the token for --http. [default: OCPP_TOKEN; or, beyond this "
            "machine, one that is made and kept in the data directory]",
            check=Path,
            needs=("http",),
        ),
        "http-cors": Option(
            help="Let web pages of an origin (https://depot.example) use --http. [default: none]",
            check=values.origin,
            several=True,
            needs=("http",),
        ),
        "data-dir": Option(
            help="Where files are kept. [default: $STATE_DIRECTORY, else "
            "~/.local/share/ocpp_twisted]",
            check=Path,
            short="d",
        ),
        "action-plugin": Option(
            help="A plug-in that answers charge points: the first that handles an action answers "
            "it. [default: local]",
            several=True,
        ),
        "active-plugin": Option(
            help="A plug-in that sends commands to charge points. [default: none]", several=True
        ),
        "url-template": Option(
            help="A path of connection URLs, with {id} at its end and {name} at most once before "
            "it. [default: /ocpp/{name}/{id}, /ocpp/{id} and /{id}]",
            several=True,
        ),
        "quirks": Option(
            help="What charge points may do wrong: standard, tolerant, strict, or a file of "
            "profiles (docs/quirks.md).",
            check=values.quirks,
            default="standard",
        ),
        "heartbeat-interval": Option(
            help="Seconds between Heartbeats, told to charge points when they boot.",
            check=_whole_seconds,
            types=_NUMBER,
            default="300",
            plugin=(RECORDS, "heartbeat_interval"),
        ),
        "interval-spread": Option(
            help="Percent, up to 50, by which the interval differs between charge points, so that "
            "those that boot together do not come together ever after.",
            check=values.whole("percent", 0),
            types=_NUMBER,
            default="0",
            plugin=(RECORDS, "interval_spread"),
        ),
        "store": Option(
            help="Where the plug-in local keeps its records: postgresql://USER@HOST/DATABASE or "
            "sqlite:////FILE. [default: records.db in the data directory]",
            plugin=(RECORDS, "store"),
        ),
        "keep-events": Option(
            help="Days for which records of events are kept, security events among them; 0 for "
            "ever.",
            check=_days,
            types=_NUMBER,
            default="90",
            plugin=(RECORDS, "keep_events"),
        ),
        "keep-transactions": Option(
            help="Days for which transactions that have ended are kept, with their meter values; "
            "0 for ever.",
            check=_days,
            types=_NUMBER,
            default="0",
            plugin=(RECORDS, "keep_transactions"),
        ),
        "authorize": Option(
            help="Which tags may charge: those that are known, or also all others (open).",
            check=values.one_of("known", "open"),
            default="known",
            plugin=(RECORDS, "authorize"),
        ),
        "charge-points": Option(
            help="Which charge points may connect: any, or those that are known.",
            check=values.one_of("any", "known"),
            default="any",
            plugin=(RECORDS, "charge_points"),
        ),
        "certificate-authority": Option(
            help="Who signs charge points' certificates: none, or local, with --ca-cert and "
            "--ca-key (docs/local.md).",
            check=values.one_of("none", "local"),
            default="none",
            plugin=(RECORDS, "certificate_authority"),
        ),
        "ca-cert": Option(
            help="PEM file: the certificate of --certificate-authority local, then those above it. "
            "[default: ca-cert.pem in the data directory, made at the first start]",
            check=Path,
            plugin=(RECORDS, "ca_cert"),
        ),
        "ca-key": Option(
            help="PEM file: the private key of --ca-cert.",
            check=Path,
            plugin=(RECORDS, "ca_key"),
        ),
        "ca-organization": Option(
            help="The organization in charge points' certificates. [default: that of --ca-cert]",
            plugin=(RECORDS, "ca_organization"),
        ),
        "ca-days": Option(
            help="Days that charge points' certificates are good.",
            check=values.whole("days"),
            types=_NUMBER,
            default="365",
            plugin=(RECORDS, "ca_days"),
        ),
        "certificate-renewal-days": Option(
            help="Days before its certificate ends that a charge point is asked to renew it; 0 "
            "for never.",
            check=_days,
            types=_NUMBER,
            default="30",
            plugin=(RECORDS, "certificate_renewal_days"),
        ),
        "ocsp-responder": Option(
            help="Ask OCSP responders whose URLs begin so (http://ocsp.example/) about "
            "certificates, as charge points want it; * for any. [default: none]",
            check=values.responder,
            several=True,
            plugin=(RECORDS, "ocsp_responders"),
        ),
        "nats": Option(
            help="A NATS server, nats://HOST:4222, for the plug-in nats and for workers "
            "(docs/distributed.md).",
            check=values.nats_url,
            several=True,
            plugin=("nats", "servers"),
        ),
        "nats-creds": Option(
            help="File with the credentials of a NATS user (.creds).",
            check=Path,
            plugin=("nats", "credentials"),
        ),
        "nats-token-file": Option(
            help="File that holds a token for --nats.", check=Path, plugin=("nats", "token")
        ),
        "nats-tls-ca": Option(
            help="PEM file: who signs the certificates of --nats tls://HOST. [default: whom the "
            "system trusts]",
            check=Path,
            plugin=("nats", "tls_ca"),
        ),
        "nats-tls-cert": Option(
            help="PEM file: the certificate that is shown to --nats.",
            check=Path,
            plugin=("nats", "tls_cert"),
        ),
        "nats-tls-key": Option(
            help="PEM file: the private key of --nats-tls-cert.",
            check=Path,
            plugin=("nats", "tls_key"),
        ),
        "nats-reconnect-wait": Option(
            help="Seconds between two attempts to connect to a NATS server.",
            check=values.seconds_not_0,
            types=_NUMBER,
            default="1",
            plugin=("nats", "reconnect_wait"),
        ),
        "nats-ping-interval": Option(
            help="Seconds between pings to the NATS server; one that does not answer two of them "
            "is left for another one.",
            check=values.seconds_not_0,
            types=_NUMBER,
            default="5",
            plugin=("nats", "ping_interval"),
        ),
        "nats-prefix": Option(
            help="What the subjects in NATS begin with; systems with different ones do not know "
            "of each other.",
            default="ocpp",
            plugin=("nats", "prefix"),
        ),
        "nats-patience": Option(
            help="Seconds that a worker has to answer; then the charge point is told to try again.",
            check=values.seconds_not_0,
            types=_NUMBER,
            default="20",
            plugin=("nats", "patience"),
        ),
        "nats-limit": Option(
            help="How many messages of charge points may wait for workers at a gateway, or be "
            "worked on by a worker.",
            check=values.whole("messages"),
            types=_NUMBER,
            default="10000",
            plugin=("nats", "limit"),
        ),
        "nats-replicas": Option(
            help="On how many servers of a NATS cluster it is kept which gateway holds which "
            "charge point.",
            check=values.whole("servers"),
            types=_NUMBER,
            default="1",
            plugin=("nats", "replicas"),
        ),
        "nats-route": Option(
            help="ACTION=GROUP: let another group of workers answer an action.",
            check=values.route,
            several=True,
            plugin=("nats", "routes"),
        ),
        "nats-heartbeat": Option(
            help="Let the gateway answer Heartbeat itself, and not a worker.",
            types=_FLAG,
            plugin=("nats", "heartbeat"),
        ),
        "group": Option(
            help="The group of workers: the one that a worker belongs to, or that a gateway gives "
            "all to that no --nats-route gives to another.",
            default="workers",
            plugin=("nats", "group"),
        ),
        "node": Option(
            help="The name of this process among those that share a --nats-prefix. [default: the "
            "machine's name and the process id]",
            plugin=("nats", "node"),
        ),
        "call-timeout": Option(
            help="Seconds a charge point has to answer a call.",
            check=values.seconds_not_0,
            types=_NUMBER,
            default="30",
        ),
        "ping-interval": Option(
            help="Seconds of silence after which a charge point is pinged; 0 for never.",
            check=values.seconds,
            types=_NUMBER,
            default="60",
        ),
        "ping-timeout": Option(
            help="Seconds after the ping until a charge point that stays silent is dropped.",
            check=values.seconds_not_0,
            types=_NUMBER,
            default="30",
        ),
        "handshake-timeout": Option(
            help="Seconds a charge point has for the WebSocket handshake.",
            check=values.seconds_not_0,
            types=_NUMBER,
            default="20",
        ),
        "tls-handshake-timeout": Option(
            help="Seconds it has for the TLS handshake before that.",
            check=values.seconds_not_0,
            types=_NUMBER,
            default="10",
        ),
        "first-message-timeout": Option(
            help="Seconds until the first message of a charge point that is not known to be "
            "accepted; 0 for any time. [default: 900, or twice --heartbeat-interval if that is "
            "more]",
            check=values.seconds,
            types=_NUMBER,
        ),
        "message-timeout": Option(
            help="Seconds from the first byte of a message to its last; 0 for any time.",
            check=values.seconds,
            types=_NUMBER,
            default="60",
        ),
        "max-connections": Option(
            help="Sockets of charge points in all. [default: as many as the process may open "
            "files (ulimit -n), less 100]",
            check=values.whole("connections"),
            types=_NUMBER,
        ),
        "max-connections-per-address": Option(
            help="Sockets of one address; those of this machine and of a --proxy are not counted. "
            "[default: 2000, or half of --max-connections if that is less]",
            check=values.whole("connections"),
            types=_NUMBER,
        ),
        "max-closing-per-id": Option(
            help="Sockets of one charge point that may be closing while a newer one is served.",
            check=values.whole("sockets"),
            types=_NUMBER,
            default="4",
        ),
        "max-handshakes": Option(
            help="Handshakes that begin in a second; one over TLS counts twice. Others wait up to "
            "30 seconds, and are told to come back later beyond that.",
            check=values.whole("handshakes"),
            types=_NUMBER,
            default="1000",
        ),
        "max-messages-per-second": Option(
            help="Messages a charge point may send, ten times as many at once. Beyond that it is "
            "read more slowly, and sent away after 300 seconds of it.",
            check=values.whole("messages"),
            types=_NUMBER,
            default="2000",
        ),
        "max-json-depth": Option(
            help="How deep the arrays and objects of a message may be nested, 8 or more.",
            check=values.whole("levels", 8),
            types=_NUMBER,
            default="64",
        ),
        "max-write-buffer": Option(
            help="Bytes that wait for a charge point that does not read, before it is dropped.",
            check=_bytes,
            types=_NUMBER,
            default="1048576",
        ),
        "max-queued-calls": Option(
            help="Calls of ours that may wait to be sent to one charge point.",
            check=values.whole("calls"),
            types=_NUMBER,
            default="64",
        ),
        "max-open-calls": Option(
            help="Calls of one charge point that are worked on at once; nothing more is read from "
            "it until one of them is answered.",
            check=values.whole("calls"),
            types=_NUMBER,
            default="32",
        ),
        "max-message-size": Option(
            help="Bytes a message may have, 1024 or more.",
            check=_bytes,
            types=_NUMBER,
            default="1048576",
        ),
        "grace": Option(
            help="Seconds that open calls have to end when the server stops.",
            check=values.seconds,
            types=_NUMBER,
            default="10",
        ),
        "drain-rate": Option(
            help="How many connections are closed in a second when the server stops, so that not "
            "all of their charge points connect to another one at once. [default: no limit]",
            check=values.whole("connections"),
            types=_NUMBER,
        ),
        "log-level": Option(
            help="What is logged: debug, info, warn, error or critical, for everything or, as "
            "ocpp_twisted.websocket=debug, for a part. Messages: ocpp_twisted.frames=debug. "
            "[default: info]",
            check=level,
            several=True,
        ),
        "log-format": Option(
            help="How it is logged: text, or json for a JSON object a line.",
            check=values.one_of(*FORMATS),
            default="text",
        ),
        "log-file": Option(
            help="File to log into. [default: what twistd's --logfile says, else standard output]",
            check=Path,
        ),
        "log-size": Option(
            help="Bytes that a --log-file may have before a new one is begun.",
            check=_bytes,
            types=_NUMBER,
            default="10485760",
        ),
        "log-files": Option(
            help="Older files that --log-file keeps: FILE.1 is the newest.",
            check=_files,
            types=_NUMBER,
            default="9",
        ),
        "record": Option(
            help="File: write all messages into it as JSON Lines, without secrets "
            "(docs/recording.md).",
            check=Path,
        ),
        "record-charge-point": Option(
            help="Record the charge points with such an id (DEPOT-*) only. [default: all]",
            several=True,
            needs=("record",),
        ),
        "record-size": Option(
            help="Bytes that a --record file may have before a new one is begun.",
            check=_bytes,
            types=_NUMBER,
            default="10485760",
            needs=("record",),
        ),
        "record-files": Option(
            help="Older files that --record keeps: FILE.1 is the newest.",
            check=_files,
            types=_NUMBER,
            default="9",
            needs=("record",),
        ),
        "record-hide-id-tokens": Option(
            help="Replace id tokens in the recording by pseudonyms.",
            types=_FLAG,
            needs=("record",),
        ),
    }
)
