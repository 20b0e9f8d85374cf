"""The local cloud: MiniStack on loopback, with what it lacks of AWS added in the same process.

Runs on the environment in `.odyssey/cloud`, never on the project's own: nothing here may import
a package of the project, and nothing of the project but `odyssey_cli.cloud` starts it.
"""
