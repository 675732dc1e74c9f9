"""How anyone takes part in the compiled train step."""
