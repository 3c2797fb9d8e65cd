"""Run the command line: ``python -m kerasnet``."""

import sys

from kerasnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
