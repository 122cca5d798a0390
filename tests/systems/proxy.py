"""A proxy on loopback that breaks connections, as a bad network and a restart do."""

from __future__ import annotations

import contextlib
import enum
import select
import socket
import struct
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 64 * 1024
_LOOK_SECONDS = 0.1
# Closing sends RST instead of FIN: socket(7), SO_LINGER.
_ABORT = struct.pack("ii", 1, 0)


class Break(enum.Enum):
    """What happens to a connection.

    With STALL all is taken and nothing comes of it; with LOST_ANSWER the server still gets what was
    sent; with LEAVE nobody listens any more.
    """

    RESET = enum.auto()
    CLOSE = enum.auto()
    STALL = enum.auto()
    LOST_ANSWER = enum.auto()
    LEAVE = enum.auto()


@dataclass(frozen=True, slots=True)
class _Rule:
    how: Break | bytes
    at: int | bytes
    times: int


@dataclass
class Proxy:
    """Stands at `address`; `sent` are the bytes that clients sent, `broken` the breaks so far.

    `waiting` are the clients with a broken connection that they have not given up.
    """

    address: str
    sent: int = 0
    broken: int = 0
    waiting: int = 0
    ended: bool = False
    _rule: _Rule | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def breaks(self, how: Break | bytes, *, at: int | bytes, times: int = 1_000_000) -> None:
        """Break the next connections whose client sends `at` bytes in all, or these bytes.

        With bytes for `how` the client is told these before its connection is closed.
        """
        with self._lock:
            self._rule, self.broken = _Rule(how, at, times), 0

    def take(self, before: int, chunk: bytes) -> Break | bytes | None:
        """Count a client's bytes, `before` being what it had sent; say what becomes of it."""
        with self._lock:
            self.sent += len(chunk)
            rule = self._rule
            if rule is None or self.broken >= rule.times:
                return None
            if isinstance(rule.at, int):
                here = before < rule.at <= before + len(chunk)
            else:
                here = rule.at in chunk
            self.broken += here
            return rule.how if here else None

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one more client that waits."""
        with self._lock:
            self.waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self.waiting -= 1


@contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """Run one in front of `target`, which is `127.0.0.1:port`; leaves no thread."""
    host, _, port = target.partition(":")
    with ExitStack() as threads, socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        running = Proxy(f"127.0.0.1:{server.getsockname()[1]}")

        def serve() -> None:
            while not running.ended:
                # Whoever leaves refuses, and does not let others wait.
                if select.select([server], [], [], _LOOK_SECONDS)[0] and not running.ended:
                    client, _ = server.accept()
                    carrier = threading.Thread(
                        target=_carry, args=(running, client, (host, int(port)))
                    )
                    carrier.start()
                    threads.callback(carrier.join)
            server.close()

        acceptor = threading.Thread(target=serve)
        acceptor.start()
        try:
            yield running
        finally:
            running.ended = True
            acceptor.join()


def _carry(running: Proxy, client: socket.socket, target: tuple[str, int]) -> None:
    """Pass on what both sides say until one of them ends, or this connection is broken."""
    with client, contextlib.suppress(OSError), socket.create_connection(target) as server:
        sent, answered = 0, True
        while not running.ended:
            ready, _, _ = select.select([client, server], [], [], _LOOK_SECONDS)
            if server in ready:
                chunk = server.recv(_CHUNK_BYTES)
                if not chunk or not answered:
                    return
                client.sendall(chunk)
            if client in ready:
                chunk = client.recv(_CHUNK_BYTES)
                if not chunk:
                    return
                how = running.take(sent, chunk)
                sent += len(chunk)
                if how is Break.LOST_ANSWER:
                    answered = False
                elif how is not None:
                    server.close()
                    with running.counted():
                        _break(running, client, how)
                    return
                server.sendall(chunk)


def _break(running: Proxy, client: socket.socket, how: Break | bytes) -> None:
    if how is Break.LEAVE:
        running.ended = True
    if how in {Break.RESET, Break.LEAVE}:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        return
    if how is not Break.STALL:
        client.sendall(how if isinstance(how, bytes) else b"")
        client.shutdown(socket.SHUT_WR)
    # Closing with something unread sends RST.
    client.settimeout(_LOOK_SECONDS)
    while not running.ended:
        with contextlib.suppress(TimeoutError):
            if not client.recv(_CHUNK_BYTES):
                return
