"""The tuners: where each takes its trials from."""
