"""Between a worker and a script: ends the script and all that it began when the worker is gone.

Run as a program of its own, `keeper.py PIPE COMMAND..`. Nobody else writes to the pipe, so its end says that
the worker died, or that the script's time is over. SIGTERM is handed on. Ends as the script does.
"""

import os
import select
import signal
import subprocess
import sys


def end(group, number):
    """Signals all processes of a group that are left."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def main(pipe, command):
    """Waits for the script or for the end of the pipe, whichever comes first."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    # A signal that comes before the script is there waits for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        script = subprocess.Popen(
            command, start_new_session=True,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM]),
        )
    except OSError as error:
        print(f"The script cannot be run: {error.strerror} (its first line says what runs it)", flush=True)
        return 127
    signal.signal(signal.SIGTERM, lambda *_: end(script.pid, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    while script.poll() is None:
        ready, _, _ = select.select([pipe, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        if pipe in ready and not os.read(pipe, 1):
            end(script.pid, signal.SIGKILL)
            script.wait()
    # What it left behind would hold its console, and nobody looks after it.
    end(script.pid, signal.SIGKILL)
    return script.returncode if script.returncode >= 0 else 128 - script.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
