"""The engine: steps a second against a loop written by hand, and how they grow."""
