"""Class names, and which classes of two data sets are one."""

from collections.abc import Sequence

# The classes of a data set, in the order of its ids.
CIFAR10 = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

VOC = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
VOC_IGNORE = 255  # pixels of a mask that belong to no class: borders, crowds, doubt

VOC_TO_CIFAR10 = {
    "aeroplane": "airplane",
    "bird": "bird",
    "boat": "ship",
    "car": "automobile",
    "cat": "cat",
    "dog": "dog",
    "horse": "horse",
}

# COCO's ids leave gaps: 80 of the 91 categories once planned are in the data.
COCO_CATEGORIES = {
    1: "person",
    2: "bicycle",
    3: "car",
    4: "motorcycle",
    5: "airplane",
    6: "bus",
    7: "train",
    8: "truck",
    9: "boat",
    10: "traffic light",
    11: "fire hydrant",
    13: "stop sign",
    14: "parking meter",
    15: "bench",
    16: "bird",
    17: "cat",
    18: "dog",
    19: "horse",
    20: "sheep",
    21: "cow",
    22: "elephant",
    23: "bear",
    24: "zebra",
    25: "giraffe",
    27: "backpack",
    28: "umbrella",
    31: "handbag",
    32: "tie",
    33: "suitcase",
    34: "frisbee",
    35: "skis",
    36: "snowboard",
    37: "sports ball",
    38: "kite",
    39: "baseball bat",
    40: "baseball glove",
    41: "skateboard",
    42: "surfboard",
    43: "tennis racket",
    44: "bottle",
    46: "wine glass",
    47: "cup",
    48: "fork",
    49: "knife",
    50: "spoon",
    51: "bowl",
    52: "banana",
    53: "apple",
    54: "sandwich",
    55: "orange",
    56: "broccoli",
    57: "carrot",
    58: "hot dog",
    59: "pizza",
    60: "donut",
    61: "cake",
    62: "chair",
    63: "couch",
    64: "potted plant",
    65: "bed",
    67: "dining table",
    70: "toilet",
    72: "tv",
    73: "laptop",
    74: "mouse",
    75: "remote",
    76: "keyboard",
    77: "cell phone",
    78: "microwave",
    79: "oven",
    80: "toaster",
    81: "sink",
    82: "refrigerator",
    84: "book",
    85: "clock",
    86: "vase",
    87: "scissors",
    88: "teddy bear",
    89: "hair drier",
    90: "toothbrush",
}
COCO_IDS = {name: k for k, name in COCO_CATEGORIES.items()}
VOC_NAMES_IN_COCO = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
COCO_TO_VOC = {
    coco_id: voc_id
    for voc_id, voc_name in enumerate(VOC)
    for coco_id, coco_name in COCO_CATEGORIES.items()
    if coco_name == VOC_NAMES_IN_COCO.get(voc_name, voc_name)
}

# With a name for each id, as torchvision's detectors count: the gaps are classes that never occur.
NO_CLASS = "N/A"
COCO = (
    "background",
    *(COCO_CATEGORIES.get(k, NO_CLASS) for k in range(1, max(COCO_CATEGORIES) + 1)),
)

# What stands or moves on roads, and the animals that are met there.
TRAFFIC = (
    "background",
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "bus",
    "truck",
    "dog",
    "cat",
    "horse",
    "sheep",
    "cow",
)
COCO_TO_TRAFFIC = {
    coco_id: TRAFFIC.index(name) for coco_id, name in COCO_CATEGORIES.items() if name in TRAFFIC
}
VOC_TO_TRAFFIC = {
    COCO_TO_VOC[coco_id]: k for coco_id, k in COCO_TO_TRAFFIC.items() if coco_id in COCO_TO_VOC
}


def real_classes(labels: Sequence[str]) -> dict[str, int]:
    """A detector's classes and their ids: no background, whose id is 0, and no gaps."""
    return {name: k for k, name in enumerate(labels) if k and name != NO_CLASS}
