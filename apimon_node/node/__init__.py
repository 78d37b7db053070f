"""The node: tickets on strips."""
