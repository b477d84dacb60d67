"""Rate networks of hypercolumns that learn by Bayesian Confidence Propagation (BCPNN)."""
