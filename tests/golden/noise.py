"""Weights and inputs of noise that depend on names alone, so that a test in Rust makes the same (`eyespot_tests::noise`)."""

import numpy as np


def noise(name, count):
    """SplitMix64 that starts from the FNV-1a hash of the name; -1..1."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, count + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float64) / 2**23 - 1.0


def weight(name, shape):
    """A tensor of about the size that training gives one of this name and shape."""
    values, kind = noise(name, int(np.prod(shape))), name.rsplit(".", 1)[-1]
    if len(shape) > 1:
        values = values * np.sqrt(2.0 / np.prod(shape[1:]))
    elif kind == "weight":
        values = 1.0 + 0.25 * values
    elif kind == "running_var":
        values = 1.0 + 0.5 * values
    else:
        values = 0.125 * values
    return values.astype(np.float32).reshape(shape)
