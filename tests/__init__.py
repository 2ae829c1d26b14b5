"""The tests; run them with ``trial tests``."""
