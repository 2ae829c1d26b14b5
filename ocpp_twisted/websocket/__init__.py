"""OCPP-J over WebSocket: Autobahn's protocols, what a connection URL means, keep-alive and TLS.

Knows to whom connections belong by interface only (`ocpp_twisted.interfaces.IConnectionOwner`).
"""
