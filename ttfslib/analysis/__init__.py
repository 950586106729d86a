"""Measures of what a network does: pure functions of spike times, weights and labels."""
