"""A client of each system, as its users would write one."""
