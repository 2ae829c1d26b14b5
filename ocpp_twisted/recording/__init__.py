"""What charge points and the server say to each other, kept for later.

`tap` listens, `redaction` removes what must not be written down, `lines` is the form of a
recording, `file` keeps it.
"""
