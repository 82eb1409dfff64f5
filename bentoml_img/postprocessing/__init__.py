"""From what networks answer to masks, instances and probabilities."""
