"""Mask R-CNN: its data, how it learns, what it reaches."""
