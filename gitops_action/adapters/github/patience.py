"""How long to wait before GitHub is asked again, and when to give up."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from gitops_action.adapters.github.explain import is_rate_limit

if TYPE_CHECKING:
    from gitops_action.adapters.cancellation import Cancellation
    from gitops_action.adapters.http import Response
    from gitops_action.errors import ActionError

_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 15.0
# "wait for at least one minute": https://docs.github.com/en/rest/using-the-rest-api/
# rate-limits-for-the-rest-api#exceeding-the-rate-limit
_UNSAID_SECONDS = 60.0


class Patience:
    """The waits of one question, `seconds` in all."""

    def __init__(self, cancellation: Cancellation, seconds: float) -> None:
        self._cancellation = cancellation
        self._deadline = cancellation.monotonic() + seconds
        self._attempts = 0

    def wait(self, seconds: float | None, why: ActionError) -> None:
        """Wait as long as GitHub says, None: with growing pauses; raise `why` at the end."""
        if seconds is None:
            longest = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2**self._attempts)
            seconds = longest * random.uniform(0.5, 1)  # noqa: S311  spread, not secret
        self._attempts += 1
        if self._cancellation.monotonic() + seconds > self._deadline:
            raise why
        self._cancellation.sleep(seconds)


def pause(answer: Response) -> float | None:
    """How many seconds a rate limit asks us to wait; None where the answer is no such refusal."""
    if not is_rate_limit(answer):
        return None
    after = answer.headers.get("Retry-After", "")
    if after.isdigit():
        return float(after)
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if answer.headers.get("X-RateLimit-Remaining") == "0" and reset.isdigit():
        return max(1.0, float(reset) - time.time())
    return _UNSAID_SECONDS
