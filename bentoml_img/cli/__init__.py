"""What the scripts have in common: options, how they speak, how they end."""
