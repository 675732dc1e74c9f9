"""Hyperparameters as places in their ranges: declared, narrowed, widened, judged."""
