"""What to show: tickets in, the bytes of a frame out. Pure."""
