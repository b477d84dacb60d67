"""Run the command line as ``python -m bioae``."""

from __future__ import annotations

import sys

from bioae.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
