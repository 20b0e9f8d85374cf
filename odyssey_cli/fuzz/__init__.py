"""Fuzzed edges: anything that is sent to an API gets an answer that is described."""
