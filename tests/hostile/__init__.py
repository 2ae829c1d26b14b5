"""Peers that mean harm, at random and repeatably.

After each of them the process is alive, its memory is back to where it was, and other charge
points are served. ``OCPP_TEST_HOSTILE=100`` makes the runs 100 times as long, and
``OCPP_TEST_HOSTILE_SEED`` gives them another beginning.
"""
