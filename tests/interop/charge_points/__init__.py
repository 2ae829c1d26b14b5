"""Client programs, one for each version; ``python -m tests.interop.charge_points.v16 URL``.

Each connects, charges a car, then does what the server asks until its standard input ends. On its
standard output it writes down, as one JSON object a line, everything that it sends and receives.
"""
