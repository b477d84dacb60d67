"""Networks from the objects of a Brian2 script, and as plain scripts, which run without bioae."""
