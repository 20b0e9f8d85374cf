"""The `odyssey` command line: local cloud, deploy, and one group of commands per flow."""
