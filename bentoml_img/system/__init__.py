"""What files, processes and Ctrl-C need of the operating system."""
