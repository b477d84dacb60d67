"""The report: measures of several results as tables, JSON, CSV, figures and one HTML file."""
