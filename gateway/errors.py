"""What can go wrong in the gateway, as one tree, and the one function that maps it to a status.

GatewayError
├── BadRequest          400  bad_json, bad_shape, bad_encoding
├── Refused             401 bad_write_key, bad_admin_token; 403 origin_not_allowed, secret_key_in_browser,
│                       secret_key_wanted, not_verified
├── WrongMethod         405  method_not_allowed
├── TooSlow             408  too_slow
├── TooLarge            413  too_large
├── BadContentEncoding  415  bad_content_encoding
├── HeadTooLarge        431  too_large
├── RateLimited         429  rate_limited, with Retry-After
├── StoreUnavailable    503  unavailable, with Retry-After
│   └── StoreUnfit      it answers, but cannot give the durability that is set
├── Busy                503  unavailable, with Retry-After
├── KeysRefused         a change of keys that would lose visitors or keys; a command tells it
└── StartupError        the process cannot start; the message says what to do
"""

from __future__ import annotations


class GatewayError(Exception):
    """An error with a code, a message that says what is wrong, and a hint that says what to do instead."""

    status = 500
    code = "internal"

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code


class BadRequest(GatewayError):
    """The request cannot be read; sending it again does not help."""

    status = 400
    code = "bad_shape"


class Refused(GatewayError):
    """The key or the origin is not allowed here."""

    status = 401
    code = "bad_write_key"

    def __init__(self, message: str, *, hint: str = "", code: str = "bad_write_key") -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = 401 if code in ("bad_write_key", "bad_admin_token") else 403


class WrongMethod(GatewayError):
    """The path is served, but not by this method."""

    status = 405
    code = "method_not_allowed"


class TooSlow(GatewayError):
    """The body did not arrive within the deadline."""

    status = 408
    code = "too_slow"


class TooLarge(GatewayError):
    """The decoded body is over the path's limit."""

    status = 413
    code = "too_large"


class BadContentEncoding(GatewayError):
    """A Content-Encoding other than gzip or identity."""

    status = 415
    code = "bad_content_encoding"


class HeadTooLarge(GatewayError):
    """Request line and headers together are over 64 kB."""

    status = 431
    code = "too_large"

    def __init__(self) -> None:
        super().__init__("request line and headers are over 64 kB", hint="send fewer cookies, and data in the body")


class RateLimited(GatewayError):
    """Too many such requests at once; the client should send it again after `retry_after_s`."""

    status = 429
    code = "rate_limited"

    def __init__(self, message: str, *, hint: str = "", code: str = "", retry_after_s: int = 2) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after_s = retry_after_s


class StoreUnavailable(GatewayError):
    """The store did not take the write, or its answer did not come in time; the client should send it again."""

    status = 503
    code = "unavailable"


class StoreUnfit(StoreUnavailable):
    """The store answers, but cannot give the durability that is set; the hint says what to set there."""


class Busy(GatewayError):
    """The gateway has no room for it now, or is about to stop; the client should send it again."""

    status = 503
    code = "unavailable"


class Internal(GatewayError):
    """A fault of ours; the log has it, and the client may send the request again."""


class KeysRefused(GatewayError):
    """Keys are not changed in the way that was asked for; shown to the operator."""

    code = "keys"


class StartupError(GatewayError):
    """The gateway cannot start; shown to the operator as one message without a traceback."""

    code = "startup"
