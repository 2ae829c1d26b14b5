from zope.interface import implementer

from ocpp_twisted.plugins.local import Decision, IAuthorizer, ITariff, LocalPlugin


@implementer(IAuthorizer)
class Guests:
    """Guests' tags may charge; of all others the records know."""

    def authorize(self, charge_point, id_tag, request):
        return Decision("Accepted") if id_tag.startswith("GUEST-") else None


@implementer(ITariff)
class PerKilowattHour:
    """Thirty cents for each kilowatt hour."""

    def cost(self, transaction):
        if transaction.meterStart is None or transaction.meterStop is None:
            return None
        return round((transaction.meterStop - transaction.meterStart) / 1000 * 0.30, 2)


class Mine(LocalPlugin):
    name = "mine"
    authorizer = Guests()
    tariff = PerKilowattHour()
