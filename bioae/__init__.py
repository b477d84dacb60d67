"""bioae."""
