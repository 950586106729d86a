"""Trainings: settings, what they are made of, the loop, and the runs that it leaves on disk."""
