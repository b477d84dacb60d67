"""Running experiments: their description, criteria, rows on disk, verdict, page and figures."""
