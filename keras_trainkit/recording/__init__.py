"""Measures taken inside the compiled train step; the callbacks are its users."""
