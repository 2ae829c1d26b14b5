"""What the depot announces. Imports nothing of the depot."""

from ocpp_twisted.discovery import PluginDeclaration
from ocpp_twisted.interfaces import IActionPlugin, IActiveCallPlugin

depot = PluginDeclaration("depot", IActionPlugin, "depot.passive:Depot")
commands = PluginDeclaration("depot-commands", IActiveCallPlugin, "depot.active:command_line")
