"""Who may come in: OCPP's security profiles, credentials, certificates, and the proxies before us.

Without sockets: the WebSocket server tells what it knows of a handshake, and asks.
"""
