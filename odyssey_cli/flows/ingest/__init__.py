"""The intake and its consumer: events in, by stream or queue, and what has become of them."""

STACK = "Ingest"
CONSUMER = "Consumer"
# Longer than any capture takes, in seconds: what is older was left behind.
LONGEST_CAPTURE = 3_000
