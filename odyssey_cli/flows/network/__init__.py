"""The network as it is deployed: what is in it, who reaches whom, and how to get onto a host."""

STACK = "Network"
