"""OCPP-J without input or output: frames, catalogues of messages, and the session.

No Twisted, no zope.interface, no clock and no socket below this line; time comes in as an
argument. Everything here can be used from any event loop or thread.
"""
