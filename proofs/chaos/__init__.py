"""Chaos: many events through a flow whose clouds fail, repeat and reorder; then a reckoning."""
