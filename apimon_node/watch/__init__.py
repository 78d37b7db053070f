"""The dashboard in a terminal: every strip of the nodes, live, with boards, faults and events."""
