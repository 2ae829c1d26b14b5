from ocpp_twisted.discovery import PluginDeclaration
from ocpp_twisted.interfaces import IActionPlugin

mine = PluginDeclaration("mine", IActionPlugin, "my_rules:Mine")
