"""What a worker shows: a line for what happened, and on a terminal a live one for each running operation."""

import shutil
import sys
import threading
import time

LEVELS = ("debug", "info", "warning", "error")


class Console:
    """Standard error. Used by all threads."""

    def __init__(self, level="info", stream=None):
        self.stream = stream or sys.stderr
        self.is_live = self.stream.isatty()
        self.least = LEVELS.index(level)
        self.running = {}
        self._shown = 0
        self._lock = threading.Lock()
        if self.is_live:
            threading.Thread(target=self._refresh, daemon=True).start()

    def say(self, text, level="info"):
        """One line with the time."""
        if LEVELS.index(level) < self.least:
            return
        with self._lock:
            self._clear()
            mark = "" if level in ("debug", "info") else f"{level}: "
            print(f"{time.strftime('%H:%M:%S')} {mark}{text}", file=self.stream, flush=True)
            self._draw()

    def began(self, operation):
        """An operation runs from now on."""
        with self._lock:
            self.running[operation] = time.monotonic()
        self.say(f"started {operation}")

    def ended(self, operation, status, text=""):
        """It does not any more."""
        with self._lock:
            begun = self.running.pop(operation, time.monotonic())
        level = "warning" if status == "failed" else "info"
        seconds = time.monotonic() - begun
        self.say(f"{status} {operation} after {seconds:.1f} s" + (f": {text}" if text else ""), level)

    def _refresh(self):
        while True:
            time.sleep(0.5)
            with self._lock:
                self._clear()
                self._draw()

    def _clear(self):
        if self._shown:
            # Up so many lines, and everything below away.
            self.stream.write(f"\x1b[{self._shown}A\x1b[J")
            self._shown = 0

    def _draw(self):
        if not self.is_live:
            return
        width = shutil.get_terminal_size().columns - 1
        for operation, begun in self.running.items():
            line = f"  {time.monotonic() - begun:6.0f} s  {operation}"
            self.stream.write(line[:width] + "\n")
            self._shown += 1
        self.stream.flush()
