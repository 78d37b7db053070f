"""`python -m apimon_node` is `apimon-node`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs the repository has had no pip to tell them
    sys.exit(
        f"apimon-node needs Python 3.11 or newer, and this is {sys.version.split()[0]}: try python3.11 -m apimon_node"
    )

from apimon_node.commands.cli import main

sys.exit(main())
