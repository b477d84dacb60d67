"""What the experiments with auto-encoders share: training recipes, and the measures of a row."""
