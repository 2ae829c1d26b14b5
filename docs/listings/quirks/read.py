import sys

from ocpp_twisted import quirks
from ocpp_twisted.versions import CATALOGUES

leniency = quirks.load(sys.argv[1]).leniency("1.6", "ACME", "One", "1.0")
payload = b'{"connectorId": "1", "errorCode": "NoError", "status": "Free"}'
catalogue = CATALOGUES["1.6"]
action = catalogue.actions["StatusNotification"]
request, repairs = catalogue.mend(action.name, action.request, payload, leniency)
print(request.connectorId, request.status)
for repair in repairs:
    print(repair.kind, repair)
