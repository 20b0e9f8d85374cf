"""Reusable constructs: the defaults every stack shares, stated once and tested once."""
