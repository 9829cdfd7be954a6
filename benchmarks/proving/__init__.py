"""The proving ground: every method on every posterior, in fresh processes."""
