"""What may be asked of a Keras model that Keras does not say in public."""
