from ocpp_twisted.discovery import PluginDeclaration
from ocpp_twisted.interfaces import IActionPlugin

club = PluginDeclaration("club", IActionPlugin, "club:Club")
