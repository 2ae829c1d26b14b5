"""The status of a connector of OCPP 1.6: the table of section 4.9, and the ways through it."""

from __future__ import annotations

from itertools import pairwise, product

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.simulator.connectors16 import TRANSITIONS, way
from ocpp_twisted.v16 import ChargePointStatus as Status

#: As the specification has it: rows A to I, columns 1 to 9.
TABLE = """
    A  - 2 3 4 5 - 7 8 9
    B  1 - 3 4 5 6 - - 9
    C  1 - - 4 5 6 - 8 9
    D  1 - 3 - 5 6 - 8 9
    E  1 - 3 4 - 6 - 8 9
    F  1 2 - - - - - 8 9
    G  1 2 - - - - - 8 9
    H  1 2 3 4 5 - - - 9
    I  1 2 3 4 5 6 7 8 -
"""
COLUMNS = [
    Status.Available,
    Status.Preparing,
    Status.Charging,
    Status.SuspendedEV,
    Status.SuspendedEVSE,
    Status.Finishing,
    Status.Reserved,
    Status.Unavailable,
    Status.Faulted,
]


class TheTable(SynchronousTestCase):
    def test_it_is_that_of_the_specification(self):
        rows = [line.split()[1:] for line in TABLE.splitlines() if line.strip()]
        expected = {
            status: {COLUMNS[int(each) - 1] for each in row if each != "-"}
            for status, row in zip(COLUMNS, rows, strict=True)
        }
        self.assertEqual({status: {*found} for status, found in TRANSITIONS.items()}, expected)

    def test_every_way_keeps_to_it(self):
        for here, there in product(Status, Status):
            steps = [here, *way(here, there)]
            self.assertEqual(steps[-1], there)
            self.assertLessEqual(len(steps), 3)
            for step, following in pairwise(steps):
                self.assertIn(following, TRANSITIONS[step], steps)

    def test_the_ways_that_are_not_straight(self):
        self.assertEqual(
            way(Status.Finishing, Status.Charging), (Status.Preparing, Status.Charging)
        )
        self.assertEqual(
            way(Status.Preparing, Status.Unavailable), (Status.Available, Status.Unavailable)
        )
