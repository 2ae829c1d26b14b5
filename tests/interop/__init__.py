"""The real server and charge points that others wrote, over sockets of the loopback interface."""
