"""The plug-in ``local``: answers everything that charge points ask, and keeps what they say.

What it does: it decides on tags and on charge points by what an operator has entered, gives out
transaction ids, follows transactions, connectors and all else that charge points tell, and keeps
it in a database before it answers. Retries, duplicates and unknown transactions get the answer that
lets the charge point go on (1.6 sections 4.7, 4.8 and 4.10). `ocpp_twisted.records.IRecords` is how
others read and change what is kept. docs/local.md tells it all.

What it does not: it has no smart charging of its own, no certificate authority, and checks no
contract certificate. It says so in its answers.

``plugin`` puts it together. ``store`` is the database. ``keeping`` is what all handlers stand on,
``rules`` what a user may replace; the other modules hold a family of actions each. All of them
import the plug-in base, the messages, the records and what is below these.
"""

from ocpp_twisted.plugins.local.plugin import LocalPlugin
from ocpp_twisted.plugins.local.rules import Decision, IAuthorizer, ITariff

__all__ = ["Decision", "IAuthorizer", "ITariff", "LocalPlugin"]
