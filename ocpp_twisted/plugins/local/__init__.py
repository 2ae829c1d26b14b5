"""The plug-in ``local``: answers everything that charge points ask, within one process.

What it does: it lets every charge point in and accepts every id tag, gives out transaction ids,
follows transactions and connectors, and answers all other actions of the four versions as the
specification wants it of a central system without that feature. Retries, duplicates and unknown
transactions get the answer that lets the charge point go on (1.6 sections 4.7, 4.8 and 4.10).

What it does not: it has no list of tags, no tariffs, no smart charging, no certificate
authority, and checks no contract certificate. It says so in its answers. All it knows is in
memory, bounded, and gone with the process (`connectors`, `transactions`).

``plugin`` puts it together. State is in ``connectors``, ``transactions`` and ``readings``, made
of ``bounded``; these know no message. The other modules hold a family of actions each. All of
them import the plug-in base, the messages and what is below these.
"""

from ocpp_twisted.plugins.local.plugin import LocalPlugin

__all__ = ["LocalPlugin"]
