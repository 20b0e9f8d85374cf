"""Crashes, redelivery and contention: whatever happens, each event has its effect once."""
