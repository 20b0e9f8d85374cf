"""The event aggregator: producer, aggregator and reader, each a thin handler over its logic."""
