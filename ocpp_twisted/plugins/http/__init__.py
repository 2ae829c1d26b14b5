"""The plug-in ``http``: commands, records and events over HTTP, for programs and for people.

What it has is described at ``/openapi.json``, which is made from the same types that read the
requests. `operations` is its centre: an operation is data. ``calls``, ``charge_points`` and the
other modules of that kind hold the operations; ``app`` makes klein's routes of them, ``openapi``
the document. ``site``, ``guard`` and ``token`` decide what comes in. ``problems`` has all that
may go wrong. It never listens on the charge points' ports.
"""

from ocpp_twisted.plugins.http.plugin import HTTPPlugin, http_plugin

__all__ = ["HTTPPlugin", "http_plugin"]
