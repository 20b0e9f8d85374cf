"""`odyssey demo`: deploys the flows to a cloud of its own, drives them and verifies them."""
