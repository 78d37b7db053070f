"""The commands of apimon-node."""
