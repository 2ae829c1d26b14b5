"""What a TLS handshake costs the server: ``python -m benchmarks.handshakes``.

In memory, with the server's own context: full ones and resumed ones (session tickets), with an
RSA key and with one on an elliptic curve.
"""

from __future__ import annotations

import ssl
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from benchmarks.load import no_verification
from ocpp_twisted.websocket.tls import server_context

_HANDSHAKES = 500


def handshake(server: SSL.Connection, client: ssl.SSLObject, bios: list[ssl.MemoryBIO]) -> float:
    """Do one; the server's processor seconds, those for its first data included."""
    used, open_, said = 0.0, True, False
    while open_:
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
            if not said:
                client.write(b"x")
            said = True
        since = time.process_time()
        server.bio_write(bios[1].read())
        with suppress(SSL.WantReadError):
            server.recv(1)
            server.send(b"y")
            open_ = False
        with suppress(SSL.WantReadError):
            bios[0].write(server.bio_read(65536))
        used += time.process_time() - since
    client.read(1)
    return used


def measure(files: tuple[Path, Path], newest: ssl.TLSVersion, resume: bool) -> float:
    """The server's processor seconds for a handshake, the mean of many."""
    tls = server_context(*files)
    ours = no_verification()
    ours.maximum_version = newest
    session, used = None, 0.0
    for _ in range(_HANDSHAKES):
        server = tls.serverConnectionForTLS(None)
        server.set_accept_state()
        bios = [ssl.MemoryBIO(), ssl.MemoryBIO()]
        client = ours.wrap_bio(*bios, session=session if resume else None)
        used += handshake(server, client, bios)
        session = client.session
    return used / _HANDSHAKES


def certificate(folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    """A certificate for a key, both in a folder."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
    now = datetime.now(UTC)
    signed = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now, now + timedelta(days=1)
    ).sign(key, hashes.SHA256())
    (folder / "cert").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def main() -> None:
    """Measure and print."""
    print(f"{'key':<14}{'TLS':>5}{'full us':>9}{'resumed us':>12}")
    keys = {
        "RSA 2048": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ECDSA P-256": ec.generate_private_key(ec.SECP256R1()),
    }
    for kind, key in keys.items():
        with tempfile.TemporaryDirectory() as folder:
            certificate(Path(folder), key)
            files = Path(folder) / "cert", Path(folder) / "key"
            for name, newest in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
                full, resumed = (measure(files, newest, resume) for resume in (False, True))
                print(f"{kind:<14}{name:>5}{full * 1e6:>9.0f}{resumed * 1e6:>12.0f}")


if __name__ == "__main__":
    main()
