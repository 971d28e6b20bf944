"""One HTTP request to somebody else's server, with the standard library: no redirects, no cookies, limits on all."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

WITHIN_S = 10.0
_MOST_BYTES = 1_000_000
_AGENT = "tuttu-doctor (bot)"


class Silence(Exception):
    """Nobody answered as HTTP; the text says how."""


@dataclass(slots=True, frozen=True)
class Answer:
    """Status, headers by lower-case name in order, the body's beginning, and the certificate's end (s since 1970)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    certified_until: float | None = None

    def all(self, name: str) -> list[str]:
        """Return the values of every header of this name."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        """Return all values of a header as one list (RFC 9110, section 5.2)."""
        return ", ".join(self.all(name))

    def listed(self, name: str) -> set[str]:
        """Return the words of a header that is a list, in lower case."""
        return {word.strip().lower() for word in self.one(name).split(",")} - {""}

    def json(self) -> dict[str, Any]:
        """Return the body if it is a JSON object, else an empty one."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def text(self) -> str:
        """Return the body's first words on one line."""
        return " ".join(self.body[:200].decode("utf-8", "replace").split())


def ask(method: str, url: str, headers: Mapping[str, str] | None = None, body: Any = None) -> Answer:
    """Return what a server answers; a body that is not bytes is sent as JSON. Raises Silence."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=WITHIN_S, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=WITHIN_S)  # type: ignore[assignment] # a base
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.connect()
        until = _certified_until(connection.sock)
        connection.request(method, path, sent, {"User-Agent": _AGENT, "Connection": "close", **(headers or {})})
        response = connection.getresponse()
        found = tuple((name.lower(), value) for name, value in response.getheaders())
        return Answer(response.status, found, response.read(_MOST_BYTES), until)
    except ssl.SSLCertVerificationError as error:
        raise Silence(f"the certificate is not valid: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise Silence(f"no TLS is spoken there: {error.reason or error}") from error
    except socket.gaierror as error:
        raise Silence(f"no address is known for {host}") from error
    except TimeoutError as error:
        raise Silence(f"no answer within {WITHIN_S:g} s") from error
    except http.client.HTTPException as error:
        raise Silence(f"what answers is not HTTP: {type(error).__name__}") from error
    except OSError as error:
        raise Silence(error.strerror or str(error)) from error
    except ValueError as error:  # see encodings.idna
        raise Silence(f"{host[:60]} cannot be the name of a host") from error
    finally:
        connection.close()


def _certified_until(sock: Any) -> float | None:
    if not isinstance(sock, ssl.SSLSocket):
        return None
    return ssl.cert_time_to_seconds(str((sock.getpeercert() or {})["notAfter"]))
