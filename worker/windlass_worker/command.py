"""`windlass-worker`: the program."""

import os
import signal
import sys

from .console import Console
from .control_plane import Refused
from .settings import read_or_exit
from .worker import Worker


def main(arguments=None):
    """Runs until it is stopped; the program's exit code."""
    settings = read_or_exit(arguments)
    try:
        os.makedirs(settings.work_dir, mode=0o700, exist_ok=True)
    except OSError as error:
        print(f"windlass-worker: --work-dir {settings.work_dir} cannot be made: {error.strerror}", file=sys.stderr)
        return 2
    console = Console(settings.log_level)
    worker = Worker(settings, console)

    def stop(number, _):
        if worker.stopping.is_set():
            # Nobody wants to wait. The leases run out, and others take the operations.
            os._exit(128 + number)
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        worker.run()
    except Refused as problem:
        console.say(str(problem), "error")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
