"""Pure mathematics: laws, e-processes, robust estimates, selections. No clock, no log, no chance."""
