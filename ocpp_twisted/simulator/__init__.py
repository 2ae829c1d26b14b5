"""Simulated charge points: outlets, cables and cars, and what a charge point makes of them.

On the same core as real ones (`ocpp_twisted.charge_point`). Imports that, the messages, and what is
below them.
"""
