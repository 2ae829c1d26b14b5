"""The plug-ins that come with ocpp_twisted."""
