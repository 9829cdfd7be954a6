"""Whether a method is calibrated, by fits to simulated data."""

__all__: list[str] = []
