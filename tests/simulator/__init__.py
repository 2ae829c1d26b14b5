"""The simulated charge point."""
