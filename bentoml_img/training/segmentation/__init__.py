"""DeepLabV3 and FCN: their data, joint training and evaluation."""
