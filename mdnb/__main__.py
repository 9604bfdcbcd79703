"""``python -m mdnb``."""

import sys

from mdnb.cli import main

sys.exit(main())
