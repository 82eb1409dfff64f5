"""Augmentation of scenes: crops with other colours and pasted instances.

Instances are pasted from one scene into another: Ghiasi et al., "Simple
Copy-Paste" (arXiv 2012.07177). Here they are of rare classes, and keep their height in the
picture, since all photos of streets are taken from about the same height.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from bentoml_img.arrays import BoolArray, Float32Array, Float64Array, Int64Array, UInt8Array
from bentoml_img.labels import TRAFFIC
from bentoml_img.training.augment import FILL, ColourChanges, change_colours, log_uniform
from bentoml_img.training.detection.data import Instance, Scene
from bentoml_img.training.detection.sampler import Sampler, Source
from bentoml_img.training.readable import first_readable
from bentoml_img.transforms import LITE_PYRAMID

MIN_PIXELS = 12  # of an instance in a crop: one with fewer is ignored
MIN_SIDE = 3  # pixels, likewise
VISIBLE = 0.7  # share of an instance: if less is visible, it is not pasted
MULTIPLE = LITE_PYRAMID.stride  # the sides of a crop are multiples of it
RIDDEN = (TRAFFIC.index("bicycle"), TRAFFIC.index("motorcycle"))
PERSON = TRAFFIC.index("person")


@dataclass(frozen=True)
class Augmentation(ColourChanges):
    """Ranges of the changes. Sizes are in pixels, probabilities in 0–1.

    A scene is scaled so that its short side is in the range `sides` of its source, and its
    aspect ratio changes by up to the factor `aspect`. Then a crop of (height, width) is cut
    out, with the probability `aim` around one of its instances. With the probability `paste`,
    1 to `pasted` instances of other scenes are pasted, scaled by a factor in `paste_scale`.
    """

    crop: tuple[int, int] = (352, 480)
    aspect: float = 1.15
    aim: float = 0.75
    paste: float = 0.3
    pasted: int = 3
    paste_scale: tuple[float, float] = (0.7, 1.5)
    jitter: float = 0.2


@dataclass
class Crop:
    """Pixels (H, W, 3), masks (N, H, W) of 0 and 1 with their labels (N,), and crowds.

    `crowds` are boxes (M, 4) of areas to ignore; `areas` (N,) is the number of pixels that
    each instance would have if nothing hid it.
    """

    pixels: UInt8Array
    masks: UInt8Array
    labels: Int64Array
    areas: Float64Array
    crowds: Float32Array


def load_batch(sampler: Sampler, n: int, how: Augmentation, seed: Sequence[int]) -> list[Crop]:
    """A batch of one of the sources; the same seed gives the same batch.

    Photos that cannot be read are replaced by others.
    """
    rng = np.random.default_rng(seed)
    source, scenes = sampler.draw(n, rng)
    height, width = (MULTIPLE * round(side * source.enlarged**0.5 / MULTIPLE) for side in how.crop)
    how = replace(how, crop=(height, width))
    load = partial(_load_crop, source=source, sampler=sampler, how=how, rng=rng)
    return [first_readable(scenes, load) for _ in range(source.in_batch(n))]


def _load_crop(
    scene: Scene, source: Source, sampler: Sampler, how: Augmentation, rng: np.random.Generator
) -> Crop:
    """A crop of a scene, with instances pasted in, perhaps mirrored, in other colours."""
    scale = log_uniform(*source.sides, rng) / min(scene.size)
    stretch = np.sqrt(log_uniform(1 / how.aspect, how.aspect, rng))
    window = aim(scene, (scale * stretch, scale / stretch), how, rng)
    crop = window.crop(scene)
    crop.pixels = change_colours(crop.pixels, how, rng)
    if source.pastes and sampler.pasteable and rng.random() < how.paste:
        others = (sampler.draw_instance(rng) for _ in count())
        lay = partial(paste, crop, window, how=how, rng=rng)
        for _ in range(int(rng.integers(1, how.pasted + 1))):
            first_readable(others, lay)
    _ignore_hidden(crop)
    if rng.random() < 0.5:
        _mirror(crop)
    return crop


@dataclass(frozen=True)
class Window:
    """A part of a scene, shown at `size` (width, height): its corner, and its scale in x and y."""

    size: tuple[int, int]
    corner: tuple[float, float]
    scale: tuple[float, float]

    def crop(self, scene: Scene) -> Crop:
        """What the window shows of the scene."""
        instances = [i for i in scene.instances if self._shows(i)]
        masks = {id(i): self.mask(i, scene) for i in instances}
        true = [i for i in instances if not i.crowd]
        crowds = [box for i in instances if i.crowd for box in boxes_of(masks[id(i)][None])]
        width, height = self.size
        return Crop(
            self.pixels(scene),
            np.array([masks[id(i)] for i in true], np.uint8).reshape(-1, height, width),
            np.array([i.label for i in true], np.int64),
            np.array([i.area * self.scale[0] * self.scale[1] for i in true], np.float64),
            np.array(crowds, np.float32).reshape(-1, 4),
        )

    def mask(self, instance: Instance, scene: Scene) -> UInt8Array:
        """An instance's mask in the crop's pixels: (height, width)."""
        width, height = self.size
        outline = instance.outline
        if isinstance(outline, dict):
            whole = Image.fromarray(coco_mask.decode(outline))
            place, box, size = self._visible(scene.size)
            mask = np.zeros((height, width), np.uint8)
            mask[place] = np.asarray(whole.resize(size, Image.Resampling.NEAREST, box))
            return mask
        shift, scale = np.array(self.corner), np.array(self.scale)
        polygons = [
            ((np.reshape(polygon, (-1, 2)) - shift) * scale).ravel().tolist() for polygon in outline
        ]
        runs = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
        mask_of_runs: UInt8Array = coco_mask.decode(runs)
        return mask_of_runs

    def _shows(self, instance: Instance) -> bool:
        return all(
            instance.box[axis] < self.corner[axis] + self.size[axis] / self.scale[axis]
            and instance.box[axis + 2] > self.corner[axis]
            for axis in (0, 1)
        )

    def _visible(
        self, scene_size: tuple[int, int]
    ) -> tuple[tuple[slice, slice], tuple[float, float, float, float], tuple[int, int]]:
        """The slices of the crop that show the scene, the box of the scene there, and its size."""
        slices, low, high, sides = [], [], [], []
        for axis in (0, 1):
            corner, scale = self.corner[axis], self.scale[axis]
            first = max(0, round(-corner * scale))
            last = min(self.size[axis], round((scene_size[axis] - corner) * scale))
            last = max(last, first + 1)
            slices.append(slice(first, last))
            sides.append(last - first)
            low.append(max(0.0, corner + first / scale))
            high.append(min(float(scene_size[axis]), corner + last / scale))
        return (slices[1], slices[0]), (low[0], low[1], high[0], high[1]), (sides[0], sides[1])

    def pixels(self, scene: Scene) -> UInt8Array:
        """The photo there: (height, width, 3), grey beyond its edges."""
        image = scene.load()
        width, height = self.size
        pixels: UInt8Array = np.full((height, width, 3), FILL, np.uint8)
        place, box, size = self._visible(image.size)
        pixels[place] = np.asarray(image.resize(size, Image.Resampling.BILINEAR, box))
        return pixels


def aim(
    scene: Scene, scale: tuple[float, float], how: Augmentation, rng: np.random.Generator
) -> Window:
    """A random window; with the probability `aim`, around an instance, in full if it fits."""
    size = how.crop[1], how.crop[0]
    goal = _goal(scene, rng) if rng.random() < how.aim else None
    corner = []
    for axis in (0, 1):
        extent = size[axis] / scale[axis]
        room = scene.size[axis] - extent
        if room <= 0:  # the scene is smaller than the crop: somewhere in it
            corner.append(rng.uniform(room, 0))
        elif goal is None:
            corner.append(rng.uniform(0, room))
        else:
            low, high = sorted((goal[axis + 2] - extent, goal[axis]))
            corner.append(min(max(rng.uniform(low, high), 0), room))
    return Window(size, (float(corner[0]), float(corner[1])), scale)


def _goal(scene: Scene, rng: np.random.Generator) -> tuple[float, float, float, float] | None:
    """The box of a random instance, of a class that is drawn uniformly from the scene's."""
    true = [instance for instance in scene.instances if not instance.crowd]
    if not true:
        return None
    label = rng.choice(sorted({instance.label for instance in true}))
    choices = [instance for instance in true if instance.label == label]
    return choices[int(rng.integers(len(choices)))].box


def paste(
    crop: Crop,
    window: Window,
    chosen: tuple[Scene, Instance],
    how: Augmentation,
    rng: np.random.Generator,
) -> None:
    """Paste an instance and its riders onto the crop of a window, in place.

    Its lower edge keeps about its height in the picture; its horizontal place is random. Parts
    that other instances hide are not pasted; if less than VISIBLE is left, nothing is.
    """
    scene, instance = chosen
    left, _, right, bottom = instance.box
    factor = log_uniform(*how.paste_scale, rng)
    scale = window.scale[0] * factor, window.scale[1] * factor
    width, height = window.size
    foot = np.clip((bottom - window.corner[1]) * window.scale[1], 0.3 * height, 1.1 * height)
    corner = (left + right) / 2 - rng.uniform(0, width) / scale[0], bottom - foot / scale[1]
    source = Window(window.size, corner, scale)
    group = [instance, *_riders(instance, scene)]
    masks = np.array([source.mask(member, scene) for member in group], np.uint8)
    whole = masks[0].sum()
    for other in _in_front(group, scene):
        masks &= 1 - source.mask(other, scene)
    here = masks.any(axis=0)
    if here.sum() < MIN_PIXELS or masks[0].sum() < VISIBLE * whole:
        return
    crop.pixels[here] = change_colours(source.pixels(scene), how, rng)[here]
    crop.masks[:, here] = 0
    crop.masks = np.concatenate([crop.masks, masks])
    crop.labels = np.append(crop.labels, [member.label for member in group])
    areas = [member.area * scale[0] * scale[1] for member in group]
    crop.areas = np.append(crop.areas, areas)


def _riders(instance: Instance, scene: Scene) -> list[Instance]:
    if instance.label not in RIDDEN:
        return []
    left, top, right, bottom = instance.box
    return [
        other
        for other in scene.instances
        if other.label == PERSON
        and not other.crowd
        and other.box[1] < top  # sits above it
        and min(right, other.box[2]) - max(left, other.box[0]) > 0.6 * (other.box[2] - other.box[0])
        and min(bottom, other.box[3]) - max(top, other.box[1]) > 0.3 * (other.box[3] - other.box[1])
    ]


def _in_front(group: Sequence[Instance], scene: Scene) -> list[Instance]:
    """The instances that may hide parts of a group: scenes list near ones after far ones."""
    members = {id(member) for member in group}
    place = next(k for k, other in enumerate(scene.instances) if other is group[0])
    left, top, right, bottom = group[0].box
    return [
        other
        for other in scene.instances[place + 1 :]
        if id(other) not in members
        and other.box[0] < right
        and other.box[2] > left
        and other.box[1] < bottom
        and other.box[3] > top
    ]


def _ignore_hidden(crop: Crop) -> None:
    """Turn instances that are almost hidden into crowds."""
    visible = crop.masks.sum(axis=(1, 2), dtype=np.int64)
    boxes = boxes_of(crop.masks)
    sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
    clear = (visible >= np.maximum(MIN_PIXELS, 0.05 * crop.areas)) & (sides >= MIN_SIDE)
    crop.crowds = np.concatenate([crop.crowds, boxes[~clear & (visible > 0)]])
    crop.masks, crop.labels, crop.areas = (
        crop.masks[clear],
        crop.labels[clear],
        crop.areas[clear],
    )


def _mirror(crop: Crop) -> None:
    width = crop.pixels.shape[1]
    crop.pixels, crop.masks = crop.pixels[:, ::-1], crop.masks[:, :, ::-1]
    crop.crowds = crop.crowds.copy()
    crop.crowds[:, [0, 2]] = width - crop.crowds[:, [2, 0]]


def boxes_of(masks: UInt8Array) -> Float32Array:
    """The boxes (N, 4) of masks (N, H, W): left, top, right, bottom; zeros where one is empty."""
    spans = []
    for axis in (1, 2):
        there: BoolArray = np.asarray(masks.any(axis=axis))
        length = there.shape[1]
        first, last = there.argmax(axis=1), length - there[:, ::-1].argmax(axis=1)
        spans.append(np.where(there.any(axis=1), (first, last), 0))
    (left, right), (top, bottom) = spans
    return np.stack([left, top, right, bottom], axis=1).astype(np.float32)
