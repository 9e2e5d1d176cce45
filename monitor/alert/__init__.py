"""Decisions to incidents: their life, their figures, and the words for whoever is woken."""
