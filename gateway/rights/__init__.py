"""A visitor's rights: what is held about them, as an export, and its deletion."""
