"""The stress tool: each part on a clock, then the whole against servers on this machine."""
