"""The word counter: counter, multiplier, logger and reader, each a thin handler over its logic."""
