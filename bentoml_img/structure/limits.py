"""Refuse picture files that are small but expensive to decode, by their structure alone."""

from mmap import mmap

from bentoml_img.structure import bmp, gif, jpeg, png, tiff, webp


def excess(data: bytes) -> str | None:
    """What a picture has more of than it may; None if it keeps the limits of its format."""
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.excess(data)
    if data.startswith(tiff.SIGNATURES):
        return tiff.excess(data)
    if data.startswith(bmp.SIGNATURE):
        return bmp.excess(data)
    return excess_of_animation(data)


def excess_of_animation(data: bytes | mmap) -> str | None:
    """The same for a GIF, PNG or WebP, in memory or in a mapped file."""
    head = data[: webp.HEAD.size]
    if head.startswith(gif.SIGNATURE):
        return gif.excess(data)
    if head.startswith(png.SIGNATURE):
        return png.excess(data)
    if webp.is_head(head):
        return webp.excess(data)
    return None
