"""The configuration of everything that uses NATS here: gateways and workers.

Imports the errors and its neighbours.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.plugins.nats.reach import LinkOptions
from ocpp_twisted.plugins.nats.subjects import Subjects

__all__ = ["NatsSettings", "settings_of"]

_OF_THE_LINK = (
    "credentials",
    "ping_interval",
    "reconnect_wait",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "token",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSettings:
    """How to use NATS.

    :ivar node: the name of this process among those that use the same prefix.
    :ivar group: of a worker: its group; of a gateway: the group that gets what is not in `routes`.
    :ivar routes: action to the group of workers that gets it.
    :ivar heartbeat: whether a gateway answers Heartbeat itself.
    :ivar patience: seconds that a worker has to answer; fewer than `Limits.answer_timeout`.
    :ivar limit: how many CALLs may be open: at a gateway, or in a worker.
    :ivar replicas: on how many servers of a NATS cluster is kept who holds which charge point.
    """

    link: LinkOptions
    subjects: Subjects
    node: str
    group: str = "workers"
    routes: Mapping[str, str] = field(default_factory=dict)
    heartbeat: bool = False
    patience: float = 20.0
    limit: int = 10_000
    replicas: int = 1


def settings_of(config: Mapping[str, Any]) -> NatsSettings:
    """The settings in a plug-in's configuration: ``servers``, and what the options make of it.

    :raises ConfigurationError: if something in it is not known, or cannot be used.
    """
    given = {name: value for name, value in config.items() if value is not None}
    servers: Sequence[str] = given.pop("servers", ())
    if not servers:
        raise ConfigurationError("say where NATS is: --nats nats://HOST:4222")
    of_the_link = {name: given.pop(name) for name in _OF_THE_LINK if name in given}
    node = given.pop("node", f"{socket.gethostname()}-{os.getpid()}")
    link = LinkOptions(servers=servers, name=node, **of_the_link)
    if (link.tls_cert is None) != (link.tls_key is None):
        raise ConfigurationError("--nats-tls-cert and --nats-tls-key go together: give both")
    if link.credentials is not None and link.token is not None:
        raise ConfigurationError("--nats-creds and --nats-token-file: give one of the two")
    link.check()
    try:
        subjects = Subjects(given.pop("prefix", "ocpp"))
        routes = dict(given.pop("routes", ()))
        return NatsSettings(link=link, subjects=subjects, node=node, routes=routes, **given)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"the configuration for NATS: {error}") from error
