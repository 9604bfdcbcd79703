"""Compiled hard contacts: 32 pairs of atoms at a time, straight into bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mdnb.compiled import compiled

__all__ = ["contact_bits", "smallest_square_beyond"]

#: numba's decorator; its results are called without the first argument, of which mypy is told nothing.
_compiled: Any = intrinsic

_AT_ONCE = 32
_INT, _FLOATS = ir.IntType(32), ir.VectorType(ir.FloatType(), _AT_ONCE)
_0, _1, _6, _63, _64 = (np.uint64(number) for number in (0, 1, 6, 63, 64))
_STEP = np.uint64(_AT_ONCE)


@_compiled
def _nearer(typing: Any, x: Any, y: Any, z: Any, first: Any, a: Any, b: Any, c: Any, beyond: Any) -> Any:
    """Return which of 32 places from `first` on lie nearer to (a, b, c) than a squared distance, a bit for each.

    x, y and z are float32 arrays, the first place has the lowest bit. Nothing is checked: the caller knows that the
    places lie within the arrays. numba has no name for the bits of a comparison, which LLVM gets in one instruction.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def everywhere(value: Any) -> Any:
            none = ir.Constant(_FLOATS, ir.Undefined)
            one = builder.insert_element(none, value, ir.Constant(_INT, 0))
            return builder.shuffle_vector(one, none, ir.Constant(ir.VectorType(_INT, _AT_ONCE), [0] * _AT_ONCE))

        def square(axis: int) -> Any:
            array = context.make_array(signature.args[axis])(context, builder, arguments[axis])
            place = builder.bitcast(builder.gep(array.data, [arguments[3]]), _FLOATS.as_pointer())
            values = builder.load(place)
            values.align = 4
            apart = builder.fsub(values, everywhere(arguments[4 + axis]))
            return builder.fmul(apart, apart)

        total = builder.fadd(builder.fadd(square(0), square(1)), square(2))
        nearer = builder.fcmp_ordered("<", total, everywhere(arguments[7]))
        return builder.zext(builder.bitcast(nearer, _INT), ir.IntType(64))

    return types.uint64(x, y, z, types.uint64, a, b, c, beyond), generate


@_compiled
def _highest_first(typing: Any, value: Any) -> Any:
    """Return a uint64 with the bits of each of its bytes in the opposite order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bswap(builder.bitreverse(arguments[0]))

    return types.uint64(types.uint64), generate


def smallest_square_beyond(cutoff: float) -> np.float32:
    """Return the float32 number x for which ``square < x`` says the same as ``sqrt(square) < cutoff`` in float32."""
    limit = np.float32(cutoff)
    square = limit * limit
    while np.sqrt(square) >= limit:
        square = np.nextafter(square, np.float32(0))
    while np.sqrt(square) < limit:
        square = np.nextafter(square, np.float32(np.inf))
    return square


@compiled(error_model="numpy")
def contact_bits(positions, atoms, runs, beyond, out):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Fill `out` with a bit for each pair: 1 where the square of its distance is smaller than `beyond`.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms, runs : int64 arrays
        From `distance_kernels.distance_runs`.
    beyond : float32
        From `smallest_square_beyond`.
    out : (n_frames, n_bytes) uint8 array
        The first pair gets the highest bit of the first byte, as `numpy.packbits` has it.
    """
    n = len(atoms)
    room = n + _AT_ONCE  # places behind the last atom are looked at, and what is found there is left out
    x, y, z = np.zeros(room, np.float32), np.zeros(room, np.float32), np.zeros(room, np.float32)
    words = np.zeros(out.shape[1] // 8 + 2, np.uint64)
    bytes_of = words.view(np.uint8)
    for frame in range(len(positions)):
        xyz = positions[frame]
        for k in range(n):
            x[k], y[k], z[k] = xyz[atoms[k], 0], xyz[atoms[k], 1], xyz[atoms[k], 2]
        start = word = _0
        for number in range(len(runs)):
            i, j, left = np.uint64(runs[number, 0]), np.uint64(runs[number, 1]), np.uint64(runs[number, 2])
            while left > _0:
                bits = _nearer(x, y, z, j, x[i], y[i], z[i], beyond)
                taken = min(left, _STEP)
                bits &= (_1 << taken) - _1
                place = start & _63
                word |= bits << place
                if place + taken >= _64:
                    words[start >> _6] = word
                    word = (bits >> (_63 - place)) >> _1
                start += taken
                j += taken
                left -= taken
        words[start >> _6] = word
        for k in range(len(words)):
            words[k] = _highest_first(words[k])
        row = out[frame]
        for k in range(len(row)):
            row[k] = bytes_of[k]
