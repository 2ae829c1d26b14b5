"""What ocpp_twisted announces to Twisted: commands, reactors, and the built-in plug-ins."""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

from ocpp_twisted.discovery import PluginDeclaration
from ocpp_twisted.interfaces import IActionPlugin, IActiveCallPlugin

ocpp = ServiceMaker(
    "OCPP central system",
    "ocpp_twisted.service",
    "An OCPP-J central system: charge points of OCPP 1.6, 2.0, 2.0.1 and 2.1 over WS and WSS.",
    "ocpp",
)

ocpp_worker = ServiceMaker(
    "OCPP worker",
    "ocpp_twisted.worker_service",
    "Runs action plug-ins for charge points that are connected to gateways, over NATS.",
    "ocpp-worker",
)

ocpp_charge_points = ServiceMaker(
    "OCPP charge points",
    "ocpp_twisted.fleet_service",
    "Simulated charge points of OCPP 1.6, 2.0, 2.0.1 and 2.1: a fleet, a scenario, or a prompt.",
    "ocpp-charge-points",
)

epoll = Reactor(
    "ocpp", "ocpp_twisted.epoll_reactor", "The epoll reactor with a shorter way to each connection."
)

uvloop = Reactor(
    "uvloop", "ocpp_twisted.uvloop_reactor", "The asyncio reactor on uvloop's event loop."
)

local = PluginDeclaration("local", IActionPlugin, "ocpp_twisted.plugins.local:LocalPlugin")

http = PluginDeclaration("http", IActiveCallPlugin, "ocpp_twisted.plugins.http:http_plugin")

nats = PluginDeclaration("nats", IActionPlugin, "ocpp_twisted.plugins.nats:nats_plugin")

active_nats = PluginDeclaration(
    "nats", IActiveCallPlugin, "ocpp_twisted.plugins.nats:active_nats_plugin"
)
