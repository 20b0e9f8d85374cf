"""What the contracts demand of every template: its asynchronous edges, and rules over all of it."""
