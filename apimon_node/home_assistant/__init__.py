"""What node and poller tell Home Assistant of themselves."""
