"""The imperative shell of Tuttu: an ASGI gateway that receives hits, keeps profiles and answers decisions."""
