from cryptography import x509
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from ocpp_twisted.errors import CertificateRefused
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.security.authority import CertificateRequest, ICertificateAuthority, common_name


@implementer(ICertificateAuthority)
class Enterprise:
    """Hands CSRs to the certificate authority of a company, whose client is `ask`."""

    def __init__(self, ask):
        self.ask = ask

    def sign(self, request: CertificateRequest) -> Deferred[str]:
        return ensureDeferred(self._sign(request))

    async def _sign(self, request: CertificateRequest) -> str:
        # It may take days. What comes back is sent when the charge point is there.
        chain = await deferToThread(self.ask, request.pem)
        own = x509.load_pem_x509_certificate(chain.encode())
        if common_name(own.subject) != request.identity.id:
            raise CertificateRefused("the company's authority has signed another name")
        return chain


class Mine(LocalPlugin):
    name = "mine"

    def __init__(self, ask, **more):
        super().__init__(**more)
        self.certificate_authority = Enterprise(ask)
