"""The plugin whose operations the tests run."""

import os
import signal
import subprocess
import sys
import threading
import time

from cloudify import ctx
from cloudify.exceptions import NonRecoverableError, RecoverableError


def greet(name, **_):
    ctx.logger.info("greeting %s", name)
    return {"greeting": f"hello {name}"}


def fail(kind, **_):
    if kind == "never":
        raise NonRecoverableError("it will never work")
    if kind == "later":
        raise RecoverableError("come back", retry_after=7)
    raise ValueError("a plain mistake")


def retry(**_):
    return ctx.operation.retry("not yet", retry_after=3)


def vanish(**_):
    print("last words", flush=True)
    os._exit(9)


def strange(**_):
    return object()


def finish(file, **_):
    """Ends when it is asked to, with what it has."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    with open(file, "w") as told:
        told.write("ready")
    asked.wait()
    return "finished"


def sleep(file, **_):
    """Sleeps, as does a process that it began; their numbers are in the file."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(file + ".new", "w") as told:
        told.write(f"{os.getpid()} {child.pid}")
    os.rename(file + ".new", file)
    time.sleep(60)


def moor(file, **_):
    """Leaves a server running, which looks where it is a while later, as one does that is slow to start."""
    late = "import os, sys, time; time.sleep(1); where = os.getcwd(); open(sys.argv[1], 'w').write(where)"
    subprocess.Popen([sys.executable, "-c", late, file], start_new_session=True)
