"""Flows and the local cloud itself, run for real: own clouds on free ports."""
