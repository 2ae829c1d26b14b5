from pathlib import Path

from ocpp_twisted.charge_point import ClientTLS, Target

target = Target(
    url="wss://csms.example/ocpp/CP-1",
    password=b"an AuthorizationKey",
    tls=ClientTLS(ca=Path("ca.pem"), cert=Path("cp-1.pem"), key=Path("cp-1.key")),
)
