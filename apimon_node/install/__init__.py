"""What puts the program onto a machine, and takes it away: plans (pure), and the edge that does what they say."""
