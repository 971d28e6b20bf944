"""Connections on the public port: what uvicorn's HTTP protocol leaves open (deadlines, limits) and how it ends.

Nothing here knows what a hit is.
"""
