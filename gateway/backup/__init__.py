"""Backups of a store: one compressed file of our own, whichever server made it or takes it."""
