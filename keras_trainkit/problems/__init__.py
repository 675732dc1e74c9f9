"""A loss as a pure function of tensors, and its gradient."""
