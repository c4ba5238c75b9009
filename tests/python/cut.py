"""A network between two programs of a story, which can be cut."""

import contextlib
import select
import socket
import threading


class Network:
    """Hands on what comes to `url` to a port of this machine, until it is cut; then it keeps it to itself."""

    def __init__(self, port):
        self._port = port
        self._whole = threading.Event()
        self._whole.set()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """From now on nothing goes through, and nobody is told."""
        self._whole.clear()

    def mend(self):
        """It does again, and so does what was kept meanwhile."""
        self._whole.set()

    def stop(self):
        self._over.set()
        self._whole.set()
        self._listener.close()

    def _accept(self):
        while not self._over.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._hand_on, args=(near,), daemon=True).start()

    def _hand_on(self, near):
        with near, contextlib.suppress(OSError):
            self._whole.wait()
            with socket.create_connection(("127.0.0.1", self._port)) as far:
                others = {near: far, far: near}
                while not self._over.is_set():
                    for ready in select.select(list(others), [], [], 1)[0]:
                        data = ready.recv(65536)
                        self._whole.wait()
                        if not data:
                            return
                        others[ready].sendall(data)
