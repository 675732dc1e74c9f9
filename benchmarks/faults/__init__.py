"""Faulty programs and healthy ones, and how well the diagnosis tells them apart."""
