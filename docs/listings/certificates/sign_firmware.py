"""Prints the command for a signed firmware update:
python sign_firmware.py FILE URL KEY.pem CERTIFICATE.pem"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ocpp_twisted.security import firmware


def command(file, url, key, certificate):
    signature = firmware.sign(Path(file), load_pem_private_key(Path(key).read_bytes(), None))
    pem = Path(certificate).read_text()
    signer = x509.load_pem_x509_certificate(pem.encode())
    if not firmware.verify(Path(file), signature, signer):
        raise SystemExit("the key is not that of the certificate")
    payload = {
        "requestId": 1,
        "firmware": {
            "location": url,
            "retrieveDateTime": datetime.now(UTC).isoformat(timespec="seconds"),
            "signingCertificate": pem,
            "signature": signature,
        },
    }
    # OCPP 2.x: UpdateFirmware, with the same fields.
    return json.dumps({"action": "SignedUpdateFirmware", "payload": payload})


if __name__ == "__main__":
    print(command(*sys.argv[1:]))
