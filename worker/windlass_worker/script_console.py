"""The console of a script on its way to the control plane: in pieces, as it comes, and never more than is kept."""

import codecs
import threading
import time

from .control_plane import LeaseLost, Refused, Unreachable
from .masking import Masking

# The most bytes of a piece, and how long one waits for more, in seconds.
PIECE = 60_000
EVERY = 1
# What the control plane keeps of a step's console. More is read, so that the script goes on, and dropped.
MOST = 4 << 20
# How long the last pieces may take when the control plane does not answer.
PATIENCE = 30


class ScriptConsole:
    """Reads what a script prints until its end. `lost` is called when the lease is another's."""

    def __init__(self, control_plane, lease, stream, lost):
        self._control_plane = control_plane
        self._lease_id = lease["lease_id"]
        self._masking = Masking(lease.get("secrets") or [])
        self._lost = lost
        self._pending = ""
        self._taken = 0
        self._sent = 0
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._read, args=(stream,), daemon=True),
            threading.Thread(target=self._send, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def finish(self):
        """Waits until all that was printed is told."""
        reader, sender = self._threads
        # Something that the script began elsewhere may hold its console for ever.
        reader.join(PATIENCE)
        self._is_over.set()
        sender.join(PATIENCE)

    def _read(self, stream):
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            data = stream.read1(65536)
            text = self._masking.take(decoder.decode(data, not data))
            if not data:
                text += self._masking.rest()
            with self._lock:
                # A little more than is kept: so the control plane says that something is missing.
                if self._taken <= MOST:
                    self._pending += text
                    self._taken += len(text.encode())
            if not data:
                self._is_over.set()
                return

    def _send(self):
        gives_up_at = None
        while True:
            is_over = self._is_over.wait(EVERY)
            with self._lock:
                text = self._pending
            if not text:
                if is_over:
                    return
                continue
            piece = text.encode()[:PIECE].decode(errors="ignore")
            try:
                room = self._control_plane.print(self._lease_id, self._sent, piece)
            except Unreachable:
                gives_up_at = gives_up_at or (time.monotonic() + PATIENCE if is_over else None)
                if gives_up_at and time.monotonic() > gives_up_at:
                    return
                time.sleep(EVERY)
                continue
            except LeaseLost:
                self._lost()
                return
            except Refused:
                # What it prints is not taken. What comes of it may be.
                return
            self._sent += len(piece.encode())
            with self._lock:
                self._pending = self._pending[len(piece):] if room else ""
