"""What every page and figure is made with, whatever it shows."""
