"""The flows that chaos goes through, each a world of its own."""
