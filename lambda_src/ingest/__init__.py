"""The intake: transformer, storer and emitter, each a thin handler over its logic."""
