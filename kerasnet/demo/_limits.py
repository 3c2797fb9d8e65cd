"""Protection of the server: who may ask, how much, and how often."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BODY_SECONDS = 10
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}


class Guard:
    """ASGI middleware that rejects requests of other sites, and adds security headers to all responses.

    The Host header must be an IP address or one of the names. DNS rebinding needs a name of the attacker, so an IP
    address is safe, and the page works at each address of the machine. A request from another site has its Origin.

    Parameters
    ----------
    app : ASGI application
        Application to protect.
    hosts : sequence of str
        Names of this machine.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self.hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_known(host):
            message = "Unknown host. Open the page by the address that kerasnet demo printed."
            await JSONResponse({"error": message}, 400)(scope, receive, send_with_headers)
        elif origin is not None and origin.partition("://")[2] != host:
            await JSONResponse({"error": "Requests from other sites are rejected."}, 403)(
                scope, receive, send_with_headers
            )
        else:
            await self.app(scope, receive, send_with_headers)

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name in self.hosts:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class Gate:
    """Limits of the number of requests, in total for the process.

    Parameters
    ----------
    per_second : float
        Number of requests per second, on average.
    burst : int
        Number of requests that may come at once.
    waiting : int
        Number of requests that are received, wait or are computed at the same time.
    """

    def __init__(self, per_second: float = 100, burst: int = 100, waiting: int = 16) -> None:
        self.per_second, self.burst, self.waiting = per_second, burst, waiting
        self._tokens, self._last, self._active = float(burst), time.monotonic(), 0

    @contextlib.asynccontextmanager
    async def admit(self) -> AsyncIterator[None]:
        """Count a request while it is handled; raise status 429 if there are too many."""
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._last) * self.per_second)
        self._last = now
        if self._tokens < 1 or self._active >= self.waiting:
            raise HTTPException(429, "Too many requests. Try again in a second.", {"Retry-After": "1"})
        self._tokens -= 1
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request; raise status 413 if it is too large, and 408 if it takes too long.

    A part of a body that is too large is read and discarded, because most clients read no answer before they have sent
    everything.
    """
    body, n_bytes = bytearray(), 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                n_bytes += len(chunk)
                if n_bytes <= max_bytes:
                    body += chunk
                elif n_bytes > 4 * max_bytes:
                    break
    except TimeoutError:
        message = f"Expected the whole request within {_BODY_SECONDS} seconds."
        raise HTTPException(408, message, {"Connection": "close"}) from None
    if n_bytes > max_bytes:
        raise HTTPException(413, f"Expected at most {max_bytes} bytes.", {"Connection": "close"})
    return bytes(body)
