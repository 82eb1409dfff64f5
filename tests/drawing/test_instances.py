import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageChops

from bentoml_img.detect import Detections
from bentoml_img.drawing import instances
from bentoml_img.drawing.instances import annotate, annotate_tracks
from bentoml_img.images import encode_jpeg, encode_png, load_rgb, open_image
from bentoml_img.labels import TRAFFIC
from bentoml_img.palettes import instance_colour
from bentoml_img.postprocessing.masks import InstanceMask
from bentoml_img.video.tracking import TrackedInstance
from tests.samples import jpeg, photo, rgb_profile


def detections(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (320, 240)) -> Detections:
    """People in those boxes, each mask all of its box."""
    masks = tuple(
        InstanceMask(left, top, np.ones((bottom - top, right - left), np.bool_))
        for left, top, right, bottom in boxes
    )
    n = len(boxes)
    array = np.array(boxes, np.float32).reshape(n, 4)
    scores = np.linspace(0.9, 0.5, n).astype(np.float32)
    return Detections(array, np.ones(n, np.int64), scores, masks, size, TRAFFIC)


def test_instances_are_drawn_in_and_beside_their_boxes_only() -> None:
    image = photo(320, 240)
    drawn = np.asarray(annotate(image, detections((100, 100, 180, 200))), int)
    before = np.asarray(image, int)
    changed = (drawn != before).any(axis=-1)
    assert changed[100:200, 100:180].all()
    label = changed[:98].any(axis=0)
    outside = changed.copy()
    outside[97:203, 97:183] = False
    outside[98 - 20 : 98] = False
    assert not outside.any(), "beyond the box and its label"
    assert label.sum() > 30, "a label above it"
    middle = drawn[150, 140]
    mixed = 0.6 * before[150, 140] + 0.4 * np.array(instance_colour(1))
    assert np.abs(middle - mixed).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (20, 15), (40, 900), (3000, 40)])
def test_instances_are_drawn_in_pictures_of_any_size(size: tuple[int, int]) -> None:
    image = photo(*size)
    everything = detections((0, 0, *size), size=size)
    drawn = annotate(image, everything)
    assert drawn.size == size
    assert drawn.tobytes() != image.tobytes()
    assert annotate(image, detections(size=size)).tobytes() == image.tobytes()


@pytest.mark.parametrize("margin", [0, 5])
def test_a_mask_is_opaque_at_its_edge_on_all_sides(margin: int) -> None:
    pixels = np.pad(np.ones((20, 30), np.bool_), margin)
    mask = InstanceMask(110 - margin, 110 - margin, pixels)
    answer = replace(detections((100, 100, 180, 200)), masks=(mask,))
    drawn = np.asarray(annotate(photo(320, 240), answer))
    edge = drawn[[110, 129, 120, 120], [125, 125, 110, 139]]
    assert (edge == instance_colour(1)).all()
    assert (drawn[111:129, 111:139] != instance_colour(1)).any(axis=-1).all()


@pytest.mark.parametrize("colour", [(255, 255, 0), (0, 0, 120)], ids=["light", "dark"])
def test_letters_are_dark_on_light_colours_and_light_on_dark_ones(
    monkeypatch: pytest.MonkeyPatch, colour: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(instances, "instance_colour", lambda _: colour)
    drawn = np.asarray(annotate(photo(320, 240), detections((100, 100, 180, 200))))
    reds = drawn[88:96, 102:150, 0]
    assert reds.min() < 60
    assert reds.max() > 200


def test_an_annotated_photo_has_the_profile_of_the_photo() -> None:
    image = load_rgb(open_image(jpeg(320, 240, icc_profile=rgb_profile())))
    drawn = annotate(image, detections((100, 100, 180, 200)))
    for encoded in (encode_jpeg(drawn), encode_png(drawn)):
        assert Image.open(io.BytesIO(encoded)).info["icc_profile"] == rgb_profile()


def test_lines_grow_with_the_picture() -> None:
    widths = []
    for scale in (1, 8):
        size = 320 * scale, 240 * scale
        hollow = replace(
            detections((100 * scale, 100 * scale, 180 * scale, 200 * scale), size=size),
            masks=(InstanceMask(0, 0, np.zeros((1, 1), np.bool_)),),
        )
        row = np.asarray(annotate(photo(*size), hollow))[150 * scale]
        widths.append((row == instance_colour(1)).all(axis=-1).sum())
    assert widths[1] > 4 * widths[0] > 0


def track(
    track_id: int,
    box: tuple[float, float, float, float],
    mask: InstanceMask | None = None,
    label: str = "car",
) -> TrackedInstance:
    return TrackedInstance(track_id, label, 0.75, box, mask, detected=True)


def test_a_track_keeps_its_colour() -> None:
    left, right = (20.0, 40.0, 90.0, 140.0), (200.0, 60.0, 280.0, 180.0)
    frame = photo(320, 240)
    first = np.asarray(annotate_tracks(frame, [track(4, left), track(9, right)], {}, {}))
    second = np.asarray(annotate_tracks(frame, [track(9, left), track(4, right)], {}, {}))
    assert tuple(first[80, 20].tolist()) == tuple(second[120, 200].tolist()) == instance_colour(4)
    others = [track(4, left, label="bus"), track(9, right)]
    other = np.asarray(annotate_tracks(frame, others, {}, {}))
    assert not np.array_equal(other, first)


def test_the_box_of_the_oldest_track_is_on_top() -> None:
    pair = [track(4, (60, 60, 160, 160)), track(9, (100, 100, 200, 200))]
    for tracks in (pair, pair[::-1]):
        drawn = annotate_tracks(photo(320, 240), tracks, {}, {})
        assert drawn.getpixel((100, 159)) == instance_colour(4), "where they cross"


def test_large_masks_are_below_small_ones() -> None:
    large, small = (InstanceMask(60, 60, np.ones((side, side), np.bool_)) for side in (100, 50))
    for pair in ((large, small), (small, large)):
        tracks = [track(k, (50, 50, 180, 180), mask) for k, mask in enumerate(pair)]
        drawn = annotate_tracks(photo(320, 240), tracks, {}, {})
        assert drawn.getpixel((109, 80)) == instance_colour(pair.index(small)), "its edge"


def test_a_track_shows_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "instance_colour", lambda number: (255, 0, 0))
    frame, box = photo(320, 240), (20.0, 40.0, 90.0, 140.0)
    drawn = [annotate_tracks(frame, [track(number, box)], {}, {}) for number in (4, 4, 9)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_track_may_have_left_the_frame_for_a_part() -> None:
    mask = InstanceMask(-10, 20, np.ones((30, 40), np.bool_))
    frame = annotate_tracks(photo(96, 64), [track(1, (-10, 20, 30, 50), mask)], {}, {})
    assert frame.size == (96, 64)


def test_lines_and_zones_are_under_the_tracks() -> None:
    frame = Image.new("RGB", (320, 240), (90, 120, 60))
    places = {"gate": [(10, 200), (300, 200)], "bay": [(40, 40), (200, 40), (40, 150)]}
    bare = np.asarray(annotate_tracks(frame, [], {}, places))
    assert (bare[200, 150] == 255).all()
    assert (bare[95, [120, 40]] == 255).all(), "a zone's last side goes back to its first corner"
    assert (bare[100, 60] == frame.getpixel((60, 100))).all(), "a zone is not filled"
    over = np.asarray(annotate_tracks(frame, [track(4, (100, 150, 140, 201))], {}, places))
    assert tuple(over[200, 120].tolist()) == instance_colour(4)


def test_what_was_counted_is_written_behind_the_name() -> None:
    frame = Image.new("RGB", (320, 240), (90, 120, 60))
    points = [(10, 200), (300, 200)]
    counted = annotate_tracks(frame, [], {"gate": {"up": 12, "down": 0}}, {"gate": points})
    assert counted == annotate_tracks(frame, [], {}, {"gate: 12 up, 0 down": points})
    assert counted != annotate_tracks(frame, [], {}, {"gate": points})


@pytest.mark.parametrize("start", [(160, 0), (319, 120), (319, 239), (-40, -40), (360, 280)])
def test_the_name_of_a_line_is_in_the_picture(start: tuple[int, int]) -> None:
    frame = Image.new("RGB", (320, 240), (90, 120, 60))

    def written(start: tuple[int, int]) -> tuple[int, int, int, int]:
        """The box of the name."""
        point = [start, start]
        drawn = (annotate_tracks(frame, [], {}, {name: point}) for name in ("gate", ""))
        box = ImageChops.difference(*drawn).getbbox()
        assert box
        return box

    box, free = written(start), written((160, 120))
    assert (box[2] - box[0], box[3] - box[1]) == (free[2] - free[0], free[3] - free[1])
    assert abs(box[0] - start[0]) < 100
    assert abs(box[3] - start[1]) < 100


def test_labels_do_not_cover_each_other() -> None:
    crowd = [(100 + 2 * i, 100 + i, 180 + 2 * i, 200 + i) for i in range(12)]
    drawn = np.asarray(annotate(photo(320, 240), detections(*crowd)), int)
    alone = np.asarray(annotate(photo(320, 240), detections(crowd[0])), int)
    label = (alone[80:98] != np.asarray(photo(320, 240), int)[80:98]).any(axis=-1)
    assert label.sum() > 300
    np.testing.assert_array_equal(drawn[80:97][label[:17]], alone[80:97][label[:17]])


def test_labels_go_inside_the_box_then_below_then_to_its_right_side() -> None:
    """Where there is no place above; the fifth finds none."""
    frame, tracks = photo(320, 240), [track(k, (100, 0, 300, 100)) for k in range(5)]
    drawn = annotate_tracks(frame, tracks, {}, {})
    corners = [(101, 2), (101, 102), (298, 2), (298, 102)]
    assert [drawn.getpixel(at) for at in corners] == [instance_colour(k) for k in range(4)]
    assert drawn == annotate_tracks(frame, tracks[:4], {}, {})
