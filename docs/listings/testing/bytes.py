from ocpp_twisted.testing import Network

wire = Network().wire("CP1", "1.6")
wire.says('[2,"1","Heartbeat",{"surplus":1}]')
(answer,) = wire.hears()
assert answer == '[4,"1","FormationViolation","$.surplus: unknown field, expected none",{}]'
