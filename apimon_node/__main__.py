"""`python -m apimon_node` is `apimon-node`."""

import sys

from apimon_node.cli import main

sys.exit(main())
