"""`python -m ttfslib` is `ttfs`."""

import sys

from ttfslib.cli import main

if __name__ == "__main__":
    sys.exit(main())
