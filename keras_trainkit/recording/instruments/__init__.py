"""One measured thing a file; the monitors are presets of these."""
