"""What people see: everything that nodes and pollers say, as one value that pages and terminals draw. Pure."""
