"""``python -m fhe_estimators``: the command line."""

import sys

from fhe_estimators.cli import main

sys.exit(main())
