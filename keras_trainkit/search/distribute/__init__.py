"""One search in several processes: a chief that answers, workers that train."""
