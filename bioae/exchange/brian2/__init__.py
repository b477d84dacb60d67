"""Networks as plain Brian2: scripts out, which run without bioae."""
