"""ocpp_twisted: a Twisted framework for the central side of OCPP-J."""
