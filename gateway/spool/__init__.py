"""The spool: accepted hits on disk for as long as the store cannot take them."""
