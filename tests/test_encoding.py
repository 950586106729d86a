"""The latency code, its inverse, and noise on spike times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ttfslib.encoding import SURROUND, jitter, latency_decode, latency_encode, on_off_contrast

DTYPES = (np.float32, np.float64)


def intensities(dtype, **shape):
    unit = st.floats(0, 1, width=np.dtype(dtype).itemsize * 8)
    return arrays(dtype, array_shapes(**shape, max_side=5), elements=unit)


windows = st.tuples(st.floats(0, 10), st.floats(0.1, 10)).map(lambda w: (w[0], w[0] + w[1]))


def test_encode_follows_the_published_formula():
    pixels = np.array([[0, 64, 128, 255]]) / 256
    expected = [[0.15 + (1 - p / 256) * (2.0 - 0.15) for p in (0, 64, 128, 255)]]
    np.testing.assert_allclose(latency_encode(pixels), expected, rtol=1e-15)


def test_ink_is_early_and_background_late():
    np.testing.assert_allclose(latency_encode([[1.0, 0.0]], early=0.5, late=3.0), [[0.5, 3.0]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_encode_flattens_row_by_row_and_keeps_the_precision(dtype):
    images = np.linspace(0, 1, 2 * 3 * 4).reshape(2, 3, 4).astype(dtype)
    times = latency_encode(images)
    assert times.shape == (2, 12)
    assert times.dtype == dtype
    np.testing.assert_array_equal(times[1], latency_encode(images[1].reshape(1, -1))[0])


def test_encode_leaves_its_input_alone():
    images = np.full((2, 3), 0.25)
    latency_encode(images)
    np.testing.assert_array_equal(images, 0.25)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data(), window=windows)
def test_decode_inverts_encode(dtype, data, window):
    images = data.draw(intensities(dtype, min_dims=2, max_dims=4))
    decoded = latency_decode(latency_encode(images, *window), *window)
    early, late = window
    tolerance = 4 * np.finfo(dtype).eps * (1 + late / (late - early))
    assert decoded.dtype == dtype
    np.testing.assert_allclose(decoded, images.reshape(len(images), -1), rtol=0, atol=tolerance)


@given(images=intensities(np.float64, min_dims=2, max_dims=2), window=windows)
def test_brighter_is_never_later(images, window):
    times = latency_encode(images, *window).ravel()
    order = np.argsort(images.ravel())
    assert (np.diff(times[order]) <= 0).all()
    assert times.min() >= window[0]
    assert times.max() <= np.nextafter(window[1], np.inf)


def test_decode_clips_times_outside_the_window_and_reads_silence_as_no_ink():
    times = np.array([[-1.0, 0.0, 0.15, 1.075, 2.0, 7.0, np.inf]])
    np.testing.assert_allclose(latency_decode(times), [[1, 1, 1, 0.5, 0, 0, 0]])


def test_decode_keeps_the_shape():
    assert latency_decode(np.ones((2, 3, 4))).shape == (2, 3, 4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_jitter_has_the_asked_for_spread_and_keeps_the_precision(dtype):
    times = np.full((100, 200), 1.5, dtype=dtype)
    noise = jitter(times, 0.3, np.random.default_rng(0)) - times
    assert noise.dtype == dtype
    assert abs(noise.mean()) < 4 * 0.3 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(0.3, rel=0.03)
    assert (times == 1.5).all()


def test_jitter_repeats_with_the_seed_and_only_with_it():
    times = np.ones((3, 4))
    first = jitter(times, 0.1, np.random.default_rng(1))
    np.testing.assert_array_equal(first, jitter(times, 0.1, np.random.default_rng(1)))
    assert (first != jitter(times, 0.1, np.random.default_rng(2))).all()


def test_jitter_leaves_the_silent_silent():
    noisy = jitter(np.array([[np.inf, 1.0, np.inf]]), 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isinf(noisy), [[True, False, True]])


@given(times=arrays(np.float64, (2, 3), elements=st.floats(0, 10)))
def test_no_noise_changes_nothing(times):
    np.testing.assert_array_equal(jitter(times, 0, np.random.default_rng(0)), times)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((2, 3), 255, dtype=np.uint8), "got uint8 .divide 8-bit pixels by 255"),
        (np.ones((2, 3), dtype=bool), "must be float32 or float64, got bool"),
        (np.ones((2, 3), dtype=np.float16), "must be float32 or float64, got float16"),
        (np.array([["a", "b"]]), "must be float32 or float64"),
        ([[0.1, 0.2], [0.3]], "must be a rectangular array"),
        (np.empty((0, 784)), r"must not be empty, got shape \(0, 784\)"),
        (np.empty((3, 0)), r"must not be empty, got shape \(3, 0\)"),
        (np.ones(784), r"must have shape \(n_samples, ...\), got \(784,\)"),
        (np.float64(1.0), r"must have shape \(n_samples, ...\), got \(\)"),
        ([[0.5, np.nan]], r"lie in \[0, 1\], got nan at index \(0, 1\)"),
        ([[0.5], [1.5]], r"lie in \[0, 1\], got 1.5 at index \(1, 0\)"),
        ([[-0.1, 0.5]], r"lie in \[0, 1\], got -0.1 at index \(0, 0\)"),
    ],
)
def test_encode_refuses_bad_images_in_one_line(images, message):
    with pytest.raises(ValueError, match=f"^images .*{message}") as caught:
        latency_encode(images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", [latency_encode, latency_decode])
@pytest.mark.parametrize(
    ("early", "late", "message"),
    [
        (2.0, 0.15, "late must be greater than early = 2.0, got 0.15"),
        (1.0, 1.0, "late must be greater than early"),
        (-0.1, 2.0, "early must lie in"),
        (np.nan, 2.0, "early must be finite"),
        (0.0, np.inf, "late must be finite"),
        ("0", 2.0, "early must be a real number"),
    ],
)
def test_a_window_that_is_none_is_refused(function, early, late, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        function(np.full((1, 2), 0.5), early, late)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.array([[1, 2]]), "must be float32 or float64, got int64"),
        (np.empty((0, 3)), "must not be empty"),
        ([[np.nan, 1.0]], r"finite or \+inf \(silent\), got nan at index \(0, 0\)"),
        ([[1.0, -np.inf]], r"finite or \+inf \(silent\), got -inf at index \(0, 1\)"),
    ],
)
def test_bad_spike_times_are_refused(times, message):
    with pytest.raises(ValueError, match=f"^spike_times .*{message}"):
        latency_decode(times)
    with pytest.raises(ValueError, match=f"^spike_times .*{message}"):
        jitter(times, 0.1, np.random.default_rng(0))


@pytest.mark.parametrize("scale", [-0.1, np.nan, np.inf, "wide"])
def test_jitter_refuses_a_bad_scale(scale):
    with pytest.raises(ValueError, match=r"^scale must"):
        jitter(np.ones((1, 2)), scale, np.random.default_rng(0))


@pytest.mark.parametrize("rng", [0, None, np.random])
def test_jitter_wants_an_explicit_generator(rng):
    with pytest.raises(ValueError, match=r"^rng must be a numpy\.random\.Generator, got"):
        jitter(np.ones((1, 2)), 0.1, rng)


# Contrast


@given(images=intensities(np.float64, min_dims=3, max_dims=3), gain=st.floats(0, 5))
def test_contrast_is_the_distance_from_the_mean_around(images, gain):
    """Against one pixel after the other."""
    reach = SURROUND // 2
    contrasts = on_off_contrast(images, gain)
    assert contrasts.shape == (len(images), 2, *images.shape[1:])
    for image, (on, off) in zip(images, contrasts, strict=True):
        for i, j in np.ndindex(image.shape):
            around = image[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1]
            contrast = gain * (image[i, j] - around.mean())
            assert on[i, j] == pytest.approx(min(max(contrast, 0), 1), abs=1e-12)
            assert off[i, j] == pytest.approx(min(max(-contrast, 0), 1), abs=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_negative_swaps_on_and_off(dtype):
    images = np.random.default_rng(1).random((3, 9, 7)).astype(dtype)
    found, negative = on_off_contrast(images, 2.0), on_off_contrast(1 - images, 2.0)
    assert found.dtype == dtype
    np.testing.assert_allclose(found[:, ::-1], negative, atol=8 * np.finfo(dtype).eps)


def test_an_even_image_has_no_contrast():
    even = np.full((1, 8, 8), 0.3)
    assert on_off_contrast(even, 1000.0).max() < 1e-12


def test_contrast_is_that_of_images_in_two_dimensions():
    with pytest.raises(ValueError, match=r"images must have shape \(n_samples, height, width\)"):
        on_off_contrast(np.zeros((3, 4)))
