"""The charge point side."""
