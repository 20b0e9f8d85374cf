"""All tests; what several suites share is in this package and in `fakes`."""
