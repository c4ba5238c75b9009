"""`python -m windlass_worker` is `windlass-worker`."""

import sys

from .command import main

sys.exit(main())
