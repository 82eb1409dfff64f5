"""Pictures of answers: masks, boxes, labels and legends over photos."""
