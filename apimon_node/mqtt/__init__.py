"""The broker: the link to it, and the names of the topics."""
