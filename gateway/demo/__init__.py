"""The demo site: a fictional company's website that shows what the gateway does. Content only, no server."""
