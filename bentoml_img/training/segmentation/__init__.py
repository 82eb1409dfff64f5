"""DeepLabV3 and FCN: their data, how they learn together, what they reach."""
