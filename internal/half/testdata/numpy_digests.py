"""Prints the digests that half_test.go has, as NumPy converts: pip install numpy; python numpy_digests.py"""

import hashlib

import numpy as np


def digest(a):
    return hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()


def splitmix(n, seed=42):
    """The first n numbers of SplitMix64."""
    with np.errstate(over="ignore"):
        x = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def near_halves(bits, exponent_bits, mantissa_bits):
    """Numbers with exponents around those of halves, and mantissas near the middle of two halves."""
    bias = (1 << (exponent_bits - 1)) - 1
    exponent = bias - 28 + (bits >> np.uint64(57)) % np.uint64(48)
    mantissa = bits & np.uint64((1 << mantissa_bits) - 1)
    middle = np.uint64(1 << (mantissa_bits - 11))
    keep = np.uint64(((1 << mantissa_bits) - 1) & ~((1 << (mantissa_bits - 10)) - 1))
    offset = bits >> np.uint64(55) & np.uint64(3)  # exactly the middle, or one beside it
    mantissa = np.where(bits >> np.uint64(54) & np.uint64(1) == 1, (mantissa & keep) | middle, mantissa)
    mantissa = np.where(offset == 1, mantissa | np.uint64(1), mantissa)
    mantissa = np.where(offset == 2, mantissa - (mantissa > 0), mantissa)
    sign = bits >> np.uint64(53) & np.uint64(1)
    return sign << np.uint64(exponent_bits + mantissa_bits) | exponent << np.uint64(mantissa_bits) | mantissa


np.seterr(all="ignore")
halves = np.arange(65536, dtype=np.uint16).view(np.float16)
number = ~np.isnan(halves)
print("float32 of halves", digest(halves.astype(np.float32)[number]))
print("float64 of halves", digest(halves.astype(np.float64)[number]))
bits = splitmix(1 << 20)
f32 = near_halves(bits, 8, 23).astype(np.uint32).view(np.float32)
f64 = near_halves(bits, 11, 52).view(np.float64)
print("halves of float32", digest(f32.astype(np.float16)))
print("halves of float64", digest(f64.astype(np.float16)))
