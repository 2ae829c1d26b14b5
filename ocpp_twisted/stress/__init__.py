"""``python -m ocpp_twisted.stress``: many charge points, and how long a server's answers take.

Processes of `worker` hold the connections, each process those of one `load`; `run` starts them and
puts together what they tell. docs/stress.md says what is measured.
"""
