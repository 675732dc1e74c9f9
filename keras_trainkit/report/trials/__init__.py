"""The page of a hyperparameter search, from plain data about its trials."""
