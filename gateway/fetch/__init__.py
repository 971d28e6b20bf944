"""Bringing network data here: what `tuttu data fetch` does, through the npm client, which alone knows where from."""
