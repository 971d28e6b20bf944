"""HTTP: raw ASGI for the hot paths, Starlette for the rest."""
