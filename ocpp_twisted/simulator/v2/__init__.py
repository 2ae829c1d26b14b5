"""The voice of OCPP 2.0, 2.0.1 and 2.1, one module for each functional block of the specification.

Imports charge points, its neighbours in the simulator, and what is below them.
"""
