"""A service that reacts to events about entities, with an API in front."""
