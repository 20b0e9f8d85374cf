"""One module per stack: each reads as a wiring diagram."""
