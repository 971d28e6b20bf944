"""What every client sends, so that the tests can expect the same of each: see story.mjs for the Node ones."""

from __future__ import annotations

from typing import Any


def play(client: Any, user: str, plan: str) -> None:
    """Make one visitor's calls on a client with Segment's interface: the eight of the story, or a burst of tracks."""
    if plan != "story":
        for n in range(int(plan)):
            client.track(user, "Burst", {"n": n})
        return
    anonymous = f"anon-of-{user}"
    client.identify(user, {"email": "zoë@example.com", "plan": "pro", "age": 34}, anonymous_id=anonymous)
    client.page(user, "marketing", "Home", {"path": "/", "url": "https://shop.example.com/"})
    client.page(user, None, "Pricing", {"path": "/hinnoittelu", "url": "https://shop.example.com/hinnoittelu"})
    client.page(user, None, "Docs", {"path": "/docs", "url": "https://shop.example.com/docs"})
    client.track(user, "Signed Up", {"plan": "pro"})
    client.track(user, "Order Completed", {"order_id": "o-5001", "revenue": 129.95, "products": [{"sku": "a"}]})
    client.group(user, "g-42", {"name": "Konepaja Oy", "employees": 120})
    client.alias(anonymous, user)
