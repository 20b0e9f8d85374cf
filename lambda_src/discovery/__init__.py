"""Discovery: the updater, a thin handler over its logic, and the contracts of its queues."""
