"""The one event that ends every wait and every child."""

from __future__ import annotations

import time

from gitops_action.errors import CancelledError

CHECK_SECONDS = 0.05


class Cancellation:
    """Set once, by a signal or by the first stage that failed while another ran beside it.

    It is also the clock of every wait: a sleep that outlived a signal would hold up the exit.
    It has no lock, because a signal handler would wait for ever for one that its own thread holds.
    """

    def __init__(self) -> None:
        self._reason: str | None = None

    def cancel(self, reason: str) -> None:
        """Set the event; the first reason is the one that counts."""
        if self._reason is None:
            self._reason = reason

    @property
    def requested(self) -> bool:
        return self._reason is not None

    @property
    def reason(self) -> str:
        """Why the run was cancelled; empty while it was not."""
        return self._reason or ""

    def check(self) -> None:
        """Raise CancelledError where the run was cancelled."""
        if self._reason is not None:
            raise CancelledError(
                f"Stopped: {self._reason}.", hint="Run the job again when you want it to go on."
            )

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise CancelledError as soon as the run is cancelled."""
        deadline = time.monotonic() + seconds
        self.check()
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, CHECK_SECONDS))
            self.check()
