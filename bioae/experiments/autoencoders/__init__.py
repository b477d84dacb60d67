"""Training recipes and the measures of a row, for experiments with auto-encoders."""
