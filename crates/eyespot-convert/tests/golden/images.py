"""Synthetic images that the Rust tests make as well."""

import numpy as np


def mix(value):
    """A hash of 32 bits (the finaliser of MurmurHash3)."""
    value = value.astype(np.uint32)
    value ^= value >> np.uint32(16)
    value *= np.uint32(0x85EBCA6B)
    value ^= value >> np.uint32(13)
    value *= np.uint32(0xC2B2AE35)
    return value ^ (value >> np.uint32(16))


def image(index, shape):
    """Noise in squares of 1, 2, 4, 8 or 16 pixels, as levels 0 to 255."""
    height, width, channels = ([1] * 3 + list(shape[1:]))[-3:]
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    shift = index % 5
    key = (((index * 512 + (y >> shift)) * 512 + (x >> shift)) * 4 + c).astype(np.uint32)
    return (mix(key) & np.uint32(0xFF)).astype(np.uint8).reshape(shape)
