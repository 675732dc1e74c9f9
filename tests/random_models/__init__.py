"""Random models and ways to run them, by seed: what watching must not change."""
