"""Fits of recordings, by bioae and by others."""
