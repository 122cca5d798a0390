"""The one event that ends every wait and every child."""

from __future__ import annotations

import threading
import time

from gitops_action.errors import CancelledError

CHECK_SECONDS = 0.05


class Cancellation:
    """Set once, by a signal or by the first stage that failed while another ran beside it.

    It is also the clock of every wait: a sleep that outlived a signal would hold up the exit.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason = ""

    def cancel(self, reason: str) -> None:
        if not self._event.is_set():
            self.reason = reason
            self._event.set()

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise CancelledError where the run was cancelled."""
        if self._event.is_set():
            raise CancelledError(
                f"Stopped: {self.reason}.", hint="Run the job again when you want it to go on."
            )

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise CancelledError as soon as the run is cancelled."""
        self._event.wait(seconds)
        self.check()
