"""Progress of long work on stderr: a bar with the time left on a terminal, plain lines in a log."""
import shutil
import sys
import time

LOG_INTERVAL_S = 10.0
BAR_WIDTH = 24


def clock(seconds):
    minutes, seconds = divmod(max(0, int(round(seconds))), 60)
    return f"{minutes}:{seconds:02d}"


class Progress:
    """Counts weighted steps: a sample that is planned to take longer moves the bar further."""

    def __init__(self, total_weight, stream=None, now=time.monotonic):
        self.total = max(total_weight, 1e-9)
        self.done = 0.0
        self.stream = stream or sys.stderr
        self.now = now
        self.start = now()
        self.last_line = None
        self.tty = self.stream.isatty()

    def step(self, weight, what):
        self.done += weight
        if self.tty:
            self._draw(what)
        elif self.last_line is None or self.now() - self.last_line >= LOG_INTERVAL_S or self.done >= self.total:
            self.last_line = self.now()
            self._write(f"{self._share():4.0%}  {clock(self.left())} left  {what}\n")

    def left(self):
        """Seconds that remain if the rest goes as the part done so far."""
        if self.done <= 0:
            return self.total
        return (self.now() - self.start) * max(0.0, self.total - self.done) / self.done

    def say(self, line):
        """A line of its own, without tearing the bar."""
        self._write(("\r\033[K" if self.tty else "") + line + "\n")

    def close(self):
        if self.tty:
            self._write("\r\033[K")

    def _share(self):
        return min(1.0, self.done / self.total)

    def _draw(self, what):
        full = int(self._share() * BAR_WIDTH)
        line = f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] {self._share():4.0%}  {clock(self.left())} left  {what}"
        self._write("\r\033[K" + line[:shutil.get_terminal_size().columns - 1])

    def _write(self, text):
        self.stream.write(text)
        self.stream.flush()
