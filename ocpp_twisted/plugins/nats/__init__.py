"""The plug-in nats: any number of gateways and workers that find each other over NATS.

A gateway holds the connections of charge points; a worker runs the plug-ins that answer them.
What passes between them is in docs/distributed.md. Imports its neighbours when they are asked for:
they need nats-py, the extra `nats`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from ocpp_twisted.errors import ConfigurationError

__all__ = ["active_nats_plugin", "check_installed", "nats_plugin"]


def check_installed() -> None:
    """See whether nats-py is there.

    :raises ConfigurationError: if it is not.
    """
    if find_spec("nats") is None:
        raise ConfigurationError("NATS needs nats-py: pip install 'ocpp-twisted[nats]'")


def nats_plugin() -> Any:
    """The action plug-in of a gateway, on the reactor that runs this process.

    :raises ConfigurationError: if nats-py is not installed.
    """
    check_installed()
    from twisted.internet import reactor  # the one that runs us, whichever it is

    from ocpp_twisted.plugins.nats.passive import NatsPlugin

    return NatsPlugin(reactor)


def active_nats_plugin() -> Any:
    """The active plug-in of a gateway, on the reactor that runs this process.

    :raises ConfigurationError: if nats-py is not installed.
    """
    check_installed()
    from twisted.internet import reactor  # the one that runs us, whichever it is

    from ocpp_twisted.plugins.nats.active import ActiveNatsPlugin

    return ActiveNatsPlugin(reactor)
