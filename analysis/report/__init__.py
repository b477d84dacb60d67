"""The report: figures with captions, one HTML file, and the folder that `bioae analyze` writes."""
