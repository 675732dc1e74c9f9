"""The bookkeeping of a search and the training of its trials, on KerasTuner."""
