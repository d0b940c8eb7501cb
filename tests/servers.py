"""Servers started for a test: where they listen, and waiting until they do."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listened on just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_until_alive(address: str, server: subprocess.Popen[str], *, seconds: float = 60) -> None:
    """Return once `address`/healthz answers; fail with the server's words where it does not."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"{address}/healthz", timeout=5).close()
        except urllib.error.HTTPError:
            # It answers, if only to say that this is not its host name.
            return
        except OSError:
            assert server.poll() is None, server.stderr and server.stderr.read()
            assert time.monotonic() < deadline, f"{address} did not answer within {seconds:.0f} s"
            time.sleep(0.1)
        else:
            return
