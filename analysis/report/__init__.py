"""The report: measures of several results as tables, JSON, CSV, figures and one HTML file.

A new table or figure of the report belongs here; the measure that it shows does not.
"""
