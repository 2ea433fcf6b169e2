"""Measurements beside peers: ratios of one run, alternating, medians of at least five."""
