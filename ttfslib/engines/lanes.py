"""A row of neurons as one value that compiled code keeps in the registers of the processor.

Numba turns loops over arrays into vector instructions, but loads and stores the arrays in every
pass. A value of the type `Lanes` holds `WIDTH` numbers and is never stored unless asked to:
``current = decay * current + load(rows, i)`` is a multiplication and an addition for all of them.
Each number is computed just as a loop would, so that results do not depend on the processor.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

WIDTH = 32
"""Numbers in a row, below the 64 bits of the integers that are sets of lanes; state of so many fits
into the registers of most processors."""
_REGISTER_BITS = 256


class Lanes(types.Type):
    """Type of a row of `WIDTH` numbers of the type `dtype`."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype}, {WIDTH})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        number = manager.lookup(lanes.dtype).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(number, WIDTH))


@intrinsic
def load(typing_context, array, start):
    """The numbers ``array[start], ...`` of a one-dimensional array."""
    lanes = Lanes(array.dtype)

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature, arguments)
        return builder.load(place, align=context.get_abi_sizeof(_scalar(context, lanes)))

    return lanes(array, types.intp), generate


@intrinsic
def store(typing_context, array, start, lanes):
    """Write `lanes` to ``array[start], ...``."""

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature, arguments)
        size = context.get_abi_sizeof(_scalar(context, lanes))
        builder.store(arguments[2], place, align=size)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def spread(typing_context, number):
    """`number` in every lane."""
    lanes = Lanes(number)

    def generate(context, builder, signature, arguments):
        return _spread(builder, arguments[0])

    return lanes(number), generate


@intrinsic
def lane(typing_context, lanes, index):
    """One number."""

    def generate(context, builder, signature, arguments):
        return builder.extract_element(*arguments)

    return lanes.dtype(lanes, types.intp), generate


@intrinsic
def reaching(typing_context, lanes, bound):
    """The lanes that are at least `bound`, as the bits of an integer."""

    def generate(context, builder, signature, arguments):
        values, limit = arguments
        reached = builder.fcmp_ordered(">=", values, _spread(builder, limit))
        return builder.zext(builder.bitcast(reached, ir.IntType(WIDTH)), ir.IntType(64))

    return types.int64(lanes, lanes.dtype), generate


@intrinsic
def any_reaching(typing_context, lanes, bound):
    """Whether any lane is at least `bound`: sooner known than which, see :func:`reaching`."""

    def generate(context, builder, signature, arguments):
        values, limit = arguments
        reached = builder.fcmp_ordered(">=", values, _spread(builder, limit))
        # Integers as wide as the numbers, since most processors take long to pack single bits
        bits = 8 * context.get_abi_sizeof(_scalar(context, lanes))
        flags = builder.sext(reached, ir.VectorType(ir.IntType(bits), WIDTH))
        few = _folded(builder, builder.or_, flags, _REGISTER_BITS // bits)
        signs = builder.icmp_signed("<", few, ir.Constant(few.type, None))
        mask = builder.bitcast(signs, ir.IntType(signs.type.count))
        return builder.icmp_unsigned("!=", mask, ir.Constant(mask.type, 0))

    return types.boolean(lanes, lanes.dtype), generate


@intrinsic
def lowest(typing_context, bits):
    """Place of the lowest bit that is set; one must be."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


@intrinsic
def chosen(typing_context, bits, lanes, others):
    """Of `lanes` where the bit is set, of `others` elsewhere."""

    def generate(context, builder, signature, arguments):
        mask = builder.trunc(arguments[0], ir.IntType(WIDTH))
        switches = builder.bitcast(mask, ir.VectorType(ir.IntType(1), WIDTH))
        return builder.select(switches, *arguments[1:])

    return lanes(types.int64, lanes, lanes), generate


@intrinsic
def total(typing_context, lanes):
    """The sum of all lanes, halves first: its order is always the same."""

    def generate(context, builder, signature, arguments):
        one = _folded(builder, builder.fadd, arguments[0], 1)
        return builder.extract_element(one, ir.Constant(ir.IntType(32), 0))

    return lanes.dtype(lanes), generate


def _elementwise(name):
    """An intrinsic for two operands, of which one may be a number that goes into every lane."""

    @intrinsic
    def operation(typing_context, left, right):
        lanes = left if isinstance(left, Lanes) else right

        def generate(context, builder, signature, arguments):
            spreads = [
                value if isinstance(type_, Lanes) else _spread(builder, value)
                for value, type_ in zip(arguments, signature.args, strict=True)
            ]
            return getattr(builder, name)(*spreads)

        operands = [t if isinstance(t, Lanes) else lanes.dtype for t in (left, right)]
        return lanes(*operands), generate

    return operation


def _overload(operator, operation):
    @overload(operator)
    def overloaded(left, right):
        if isinstance(left, Lanes) or isinstance(right, Lanes):
            return lambda left, right: operation(left, right)
        return None


for _operator, _name in (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"):
    _overload(_operator, _elementwise(_name))


def _scalar(context, lanes):
    return context.get_value_type(lanes.dtype)


def _place(context, builder, signature, arguments):
    """Address of ``array[start]``, as that of a vector."""
    array_type = signature.args[0]
    array = context.make_array(array_type)(context, builder, arguments[0])
    first = cgutils.get_item_pointer(
        context, builder, array_type, array, [arguments[1]], wraparound=False
    )
    vector = ir.VectorType(_scalar(context, array_type), WIDTH)
    return builder.bitcast(first, vector.as_pointer())


def _spread(builder, number):
    one = ir.Constant(ir.VectorType(number.type, WIDTH), ir.Undefined)
    single = builder.insert_element(one, number, ir.Constant(ir.IntType(32), 0))
    nothing = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), None)
    return builder.shuffle_vector(single, one, nothing)


def _folded(builder, operation, vector, width):
    """Join the halves of a vector by `operation` until `width` entries are left."""
    while vector.type.count > width:
        half = vector.type.count // 2
        vector = operation(*(_part(builder, vector, start, half) for start in (0, half)))
    return vector


def _part(builder, vector, start, width):
    chosen = [ir.Constant(ir.IntType(32), start + i) for i in range(width)]
    mask = ir.Constant(ir.VectorType(ir.IntType(32), width), chosen)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)
