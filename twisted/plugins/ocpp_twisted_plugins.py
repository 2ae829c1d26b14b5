"""What ocpp_twisted announces to Twisted: a command, reactors, and the built-in plug-ins."""

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

epoll = Reactor(
    "ocpp", "ocpp_twisted.epoll_reactor", "The epoll reactor with a shorter way to each connection."
)

uvloop = Reactor(
    "uvloop", "ocpp_twisted.uvloop_reactor", "The asyncio reactor on uvloop's event loop."
)

local = PluginDeclaration("local", IActionPlugin, "ocpp_twisted.plugins.local:LocalPlugin")

http = PluginDeclaration("http", IActiveCallPlugin, "ocpp_twisted.plugins.http:http_plugin")
