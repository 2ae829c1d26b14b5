"""Plug-ins for a bus depot."""
