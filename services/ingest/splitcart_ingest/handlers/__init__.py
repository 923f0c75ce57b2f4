"""The shell of the folds: load, ask the domain, save, publish. One handler a topic."""
