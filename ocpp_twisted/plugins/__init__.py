"""The plug-ins that come with ocpp_twisted, a package each.

They import the interfaces, the messages and what is below them, never each other.
"""
