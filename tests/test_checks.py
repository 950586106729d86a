"""Every validator: what it lets pass, and the one line it says otherwise."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from ttfslib import _checks

INF, NAN = math.inf, math.nan


def refused(message):
    """Expect a ValueError that says exactly `message`, and in one line."""
    assert "\n" not in message
    return pytest.raises(ValueError, match=f"^{re.escape(message)}$")


# --- numbers ------------------------------------------------------------------------------------

NOT_REAL = [
    ("1", "str '1'"),
    (None, "NoneType 'None'"),
    (True, "bool 'True'"),
    (np.True_, f"{type(np.True_).__name__} 'True'"),
    (1 + 2j, "complex '(1+2j)'"),
    ([1.0], "list '[1.0]'"),
    (np.ones((2, 2)), r"ndarray '[[1. 1.]\n [1. 1.]]'"),
    ("x" * 100, f"str '{'x' * 40}'"),
]


@pytest.mark.parametrize("value", [2.5, 3, np.float32(0.5), np.int8(4), Fraction(1, 4), 5e-324])
def test_real_and_positive_give_the_plain_float(value):
    for check in (_checks.real, _checks.positive):
        number = check("x", value)
        assert type(number) is float
        assert number == value


def test_real_lets_zero_and_negative_numbers_pass():
    assert _checks.real("x", -3) == -3
    assert _checks.real("x", 0) == 0


def test_infinity_passes_only_where_it_may():
    assert _checks.real("x", -INF, allow_inf=True) == -INF
    assert _checks.positive("x", INF, allow_inf=True) == INF
    for check in (_checks.real, _checks.positive):
        with refused("x must be finite, got inf"):
            check("x", INF)
        with refused("x must be finite, got -inf"):
            check("x", -INF)
        with refused("x must be finite, got nan"):
            check("x", NAN, allow_inf=True)


@pytest.mark.parametrize(("value", "description"), NOT_REAL)
def test_what_is_no_real_number_is_described(value, description):
    message = f"gain must be a real number, got {description}"
    with refused(message):
        _checks.real("gain", value)
    with refused(message):
        _checks.positive("gain", value)
    with refused(message):
        _checks.within("gain", value, 0, 1)


@pytest.mark.parametrize("value", [0, -0.0, -1, np.float32(-2.5)])
def test_positive_refuses_zero_and_below(value):
    with refused(f"tau_m must be positive, got {float(value)!r}"):
        _checks.positive("tau_m", value)
    with refused("tau_m must be positive, got -inf"):
        _checks.positive("tau_m", -INF, allow_inf=True)


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_within_takes_the_closed_interval(value):
    number = _checks.within("p", value, 0, 1)
    assert type(number) is float
    assert number == value


def test_within_names_the_interval():
    with refused("p must lie in [0, 1], got 1.0000000000000002"):
        _checks.within("p", 1 + 2**-52, 0, 1)
    with refused("p must lie in [0.15, 2.5], got 0.1"):
        _checks.within("p", 0.1, 0.15, 2.5)
    with refused("p must lie in [0, inf], got -1.0"):
        _checks.within("p", -1, 0, INF)
    with refused("p must be finite, got inf"):
        _checks.within("p", INF, 0, INF)


@pytest.mark.parametrize("value", [1, np.int64(7), np.uint8(255), 2**63 - 1])
def test_integer_gives_the_plain_int(value):
    number = _checks.integer("n", value)
    assert type(number) is int
    assert number == value


def test_integer_has_a_minimum():
    assert _checks.integer("seed", 0, minimum=0) == 0
    with refused("n must be at least 1, got 0"):
        _checks.integer("n", 0)
    with refused("n must be at least 5, got 4"):
        _checks.integer("n", 4, minimum=5)


def test_an_integer_is_one_that_numpy_holds():
    with refused(f"n must be at most {2**63 - 1}, got {2**63}"):
        _checks.integer("n", 2**63)
    with pytest.raises(ValueError, match=r"^n must be at most 9223372036854775807, got [^\n]+$"):
        _checks.integer("n", 10**5000)


@pytest.mark.parametrize(
    ("value", "description"), [*NOT_REAL, (2.0, "float '2.0'"), (NAN, "float 'nan'")]
)
def test_what_is_no_integer_is_described(value, description):
    with refused(f"n must be an integer, got {description}"):
        _checks.integer("n", value)


@pytest.mark.parametrize("options", [("train", "test"), {"train": 1, "test": 2}])
def test_one_of_names_the_options(options):
    assert _checks.one_of("split", "test", options) == "test"
    for value in ("Test", "tes", "", None, 0, ["test"]):
        with refused(f"split must be one of 'train', 'test', got {value!r}"):
            _checks.one_of("split", value, options)


def test_a_generator_is_a_numpy_generator():
    rng = np.random.default_rng(0)
    assert _checks.generator("rng", rng) is rng
    with refused("rng must be a numpy.random.Generator, got int"):
        _checks.generator("rng", 0)
    with refused("rng must be a numpy.random.Generator, got RandomState"):
        _checks.generator("rng", np.random.RandomState(0))


# --- arrays -------------------------------------------------------------------------------------

ARRAY_CHECKS = [_checks.finite_array, _checks.spike_times]


@pytest.mark.parametrize("check", ARRAY_CHECKS)
def test_arrays_of_numbers_become_float64(check):
    for value in ([1, 2], (1.5, 2), np.array([3, 4], np.int8), np.ones(2, np.float32), [True]):
        array = check("x", value, ndim=1)
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, value)


@pytest.mark.parametrize("check", ARRAY_CHECKS)
def test_a_float64_array_passes_as_it_is(check):
    array = np.arange(3.0)
    assert check("x", array) is array


@pytest.mark.parametrize("check", ARRAY_CHECKS)
def test_the_shape_is_checked(check):
    assert check("x", 1.5).shape == ()
    assert check("x", np.ones((2, 3)), ndim=2).shape == (2, 3)
    assert check("x", np.ones((2, 0)), ndim=2, allow_empty=True).shape == (2, 0)
    with refused("x must have 1 dimension(s), got shape (2, 3)"):
        check("x", np.ones((2, 3)), ndim=1)
    with refused("x must have 2 dimension(s), got shape ()"):
        check("x", 1.0, ndim=2)
    with refused("x must not be empty, got shape (0,)"):
        check("x", [])
    with refused("x must not be empty, got shape (2, 0)"):
        check("x", np.ones((2, 0)), ndim=2)


@pytest.mark.parametrize("check", ARRAY_CHECKS)
@pytest.mark.parametrize(
    ("value", "description"),
    [
        ("abc", "str 'abc'"),
        (["1", "2"], """list "['1', '2']\""""),
        ([1, None], "list '[1, None]'"),
        ({"a": 1}, """dict "{'a': 1}\""""),
        ([1j], "list '[1j]'"),
        (np.array([1 + 1j]), "ndarray '[1.+1.j]'"),
    ],
)
def test_what_holds_no_numbers_is_described(check, value, description):
    with refused(f"x must be an array of numbers, got {description}"):
        check("x", value)


def test_a_ragged_list_is_no_array():
    ragged = [[1, 2], [3]]
    message = "x must be a rectangular array, got list '[[1, 2], [3]]'"
    for check in ARRAY_CHECKS:
        with refused(message):
            check("x", ragged)
    with refused(message):
        _checks.class_labels("x", ragged, 2)
    with refused(message):
        _checks.booleans("x", ragged, (2, None))


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_finite_arrays_name_the_first_offender(bad):
    with refused(f"weights must be finite, got {bad!r}"):
        _checks.finite_array("weights", bad)
    with refused(f"weights must be finite, got {bad!r} at index 1"):
        _checks.finite_array("weights", [0, bad, NAN])
    with refused(f"weights must be finite, got {bad!r} at index (1, 0)"):
        _checks.finite_array("weights", [[0, 1], [bad, NAN]])


def test_spike_times_may_be_silent():
    np.testing.assert_array_equal(_checks.spike_times("t", [INF, -1.0, INF]), [INF, -1, INF])


@pytest.mark.parametrize("bad", [NAN, -INF])
def test_spike_times_name_the_first_offender(bad):
    with refused(f"t must be finite or +inf (silent), got {bad!r}"):
        _checks.spike_times("t", bad)
    with refused(f"t must be finite or +inf (silent), got {bad!r} at index (0, 2)"):
        _checks.spike_times("t", [[INF, 0, bad]], ndim=2)


MASKED = np.ma.masked_array([0.0, 0.5], [True, False])


@pytest.mark.parametrize("check", [_checks.any_array, *ARRAY_CHECKS])
@pytest.mark.parametrize("value", [MASKED, [MASKED, MASKED], [[MASKED], [MASKED]], [np.ma.masked]])
def test_what_is_masked_is_not_unmasked(check, value):
    with refused("t must not be masked: fill in what is masked, with inf for a silent neuron"):
        check("t", value)


def test_a_masked_array_of_which_nothing_is_masked_is_an_array():
    whole = np.ma.masked_array([0.0, 0.5], [False, False])
    for value in (whole, [whole, whole], MASKED.filled(INF)):
        assert not isinstance(_checks.any_array("t", value), np.ma.MaskedArray)
        np.testing.assert_array_equal(_checks.spike_times("t", value), value)


def test_a_list_that_holds_itself_is_no_array():
    endless = [1.0]
    endless.append(endless)
    with pytest.raises(ValueError, match=r"^t must be a rectangular array, got list [^\n]+$"):
        _checks.any_array("t", endless)


@pytest.mark.parametrize("kind", ["f4", "f8", "i4", "i8"])
def test_arrays_come_in_the_byte_order_of_the_machine(kind):
    for order in "<>":
        given = np.arange(3).astype(order + kind)
        array = _checks.any_array("t", given)
        assert array.dtype == np.dtype(kind)
        assert array.tolist() == [0, 1, 2]
        single = _checks.in_precision_of(given, np.ones(2)).dtype == np.float32
        assert single == (kind == "f4")


def test_true_or_false_is_what_python_takes_for_it():
    assert [_checks.truth("x", value) for value in (1, 0, "", None, np.True_)] == [
        *(True, False, False, False, True)
    ]
    with refused("x must be true or false, got ndarray '[1. 1.]'"):
        _checks.truth("x", np.ones(2))


@pytest.mark.parametrize("value", ["\x1b[31m", np.zeros((3, 3)), "x" * 10_000, ["\n"] * 100])
def test_what_is_shown_is_short_and_printable(value):
    assert _checks.shown(value).isprintable()
    assert len(_checks.shown(value)) < 100


def test_shapes_are_compared():
    _checks.same_shape("a", np.ones((2, 3)), "b", np.zeros((2, 3)))
    with refused("a must have the shape of b (3, 2), got (2, 3)"):
        _checks.same_shape("a", np.ones((2, 3)), "b", np.zeros((3, 2)))


def test_booleans_have_a_shape_of_which_parts_may_be_free():
    mask = np.ones((2, 3), bool)
    for shape in ((2, 3), (None, 3), (None, None)):
        assert _checks.booleans("m", mask, shape) is mask
    assert _checks.booleans("m", [True, False], (2,)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        (np.ones((2, 3), bool), (3, 2), "booleans, 3 x 2, got bool of shape (2, 3)"),
        (np.ones(3, bool), (None, 3), "booleans, any x 3, got bool of shape (3,)"),
        (np.ones((0, 3), bool), (None, 3), "booleans, any x 3, got bool of shape (0, 3)"),
        (np.ones(2, np.int64), (2,), "booleans, 2, got int64 of shape (2,)"),
    ],
)
def test_booleans_name_the_wanted_shape(value, shape, message):
    with refused(f"m must be {message}"):
        _checks.booleans("m", value, shape)


def test_class_labels_are_integers_without_gaps():
    labels = _checks.class_labels("labels", np.array([2, 0, 1, 0], np.uint8), 4)
    assert labels.dtype == np.int64
    assert labels.tolist() == [2, 0, 1, 0]
    for value, found in ([[0, 1], "int64 of shape (2,)"], [[0.0] * 3, "float64 of shape (3,)"]):
        with refused(f"labels must be 3 integers, got {found}"):
            _checks.class_labels("labels", value, 3)
    for value in ([0, 2, 2], [1, 2, 3], [-1, 0, 1]):
        with refused(f"labels must be 0, 1, ... without gaps, got {sorted(set(value))}"):
            _checks.class_labels("labels", value, 3)


def test_responses_come_with_a_label_for_each_sample():
    values, labels = _checks.labelled([[1, 2], [3, 4]], [1, 0])
    assert values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert labels.tolist() == [1, 0]
    with refused("responses must be finite, got nan at index (1, 0)"):
        _checks.labelled([[1, 2], [NAN, 4]], [1, 0])
    with refused("responses must have 2 dimension(s), got shape (2,)"):
        _checks.labelled([1, 2], [1, 0])
    with refused("labels must be 2 integers, got int64 of shape (3,)"):
        _checks.labelled([[1, 2], [3, 4]], [1, 0, 1])


@pytest.mark.parametrize(
    ("given", "kept"),
    [(np.float32, np.float32), (np.float64, np.float64), (np.int32, np.float64)],
)
def test_results_come_in_the_precision_of_what_was_given(given, kept):
    for computed in (np.float32, np.float64):
        assert _checks.in_precision_of(np.ones(2, given), np.ones(3, computed)).dtype == kept
    wide = np.ones(3)
    assert _checks.in_precision_of([1, 2], wide) is wide


# --- sequences, axes, functions -----------------------------------------------------------------


def test_integer_has_a_maximum():
    assert _checks.integer("seed", 5, maximum=5) == 5
    with refused("seed must be at most 5, got 6"):
        _checks.integer("seed", 6, maximum=5)


def test_an_instance_is_of_its_kind():
    assert _checks.instance("x", 1.5, float) == 1.5
    with refused("x must be a dict, got list '[1]'"):
        _checks.instance("x", [1], dict)


def test_a_function_can_be_called():
    assert _checks.function("f", abs) is abs
    with refused("f must be a function, got int '3'"):
        _checks.function("f", 3)


@pytest.mark.parametrize("axis", [-2, -1, 0, 1])
def test_an_axis_counts_from_either_end(axis):
    assert _checks.axis("axis", axis, 2) == axis
    for beyond in (-3, 2, 10**30):
        with refused(f"axis must be one of 2 axes, got {beyond}"):
            _checks.axis("axis", beyond, 2)


def test_each_entry_is_named_by_its_place():
    assert _checks.each("x", (1, 2), _checks.real) == [1.0, 2.0]
    with refused("x[1] must be finite, got nan"):
        _checks.each("x", [1, NAN], _checks.real)
    with refused("x must be a sequence, got float '1.0'"):
        _checks.each("x", 1.0, _checks.real)


def test_an_array_of_torch_says_what_is_in_the_way():
    torch = pytest.importorskip("torch")
    for wrong in (
        torch.ones(2, requires_grad=True),
        torch.ones(2).to_sparse(),
        torch.ones(2, device="meta"),
    ):
        with pytest.raises(ValueError, match=r"^x must be [^\n]+$"):
            _checks.finite_array("x", wrong)
