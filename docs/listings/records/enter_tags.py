from twisted.internet.task import react

from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.records import IdTag
from ocpp_twisted.service import Server, Settings


async def main(reactor, store="sqlite:///records.db", listen="tcp:9000"):
    local = LocalPlugin()
    settings = Settings(
        ws=[listen], action_plugins=[local], plugin_config={"local": {"store": store}}
    )
    server = Server(settings, reactor)
    await server.startService()
    await local.put_id_tags([IdTag(idTag="04A1B2C3"), IdTag(idTag="ANNA", maxTransactions=1)])
    for tag in (await local.list_id_tags()).items:
        print(tag.idTag, tag.status)
    await server.stopService()


if __name__ == "__main__":
    react(main)
