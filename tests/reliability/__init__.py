"""Crashes, redelivery and contention: whatever happens, each event has its effect once."""

import pytest

# So that what these assert says more than that it does not hold.
pytest.register_assert_rewrite(
    "tests.reliability.batches",
    "tests.reliability.command_batches",
    "tests.reliability.custom_resource_batches",
    "tests.reliability.intake",
    "tests.reliability.intake_batches",
)
