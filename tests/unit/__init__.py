"""Pure logic and handlers: no network, no credentials, no waiting."""
