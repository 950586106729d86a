"""Ctrl-C that waits: for the right moment, but not for ever."""
# ruff: noqa: PT012 - what is done before the interrupt comes is what counts

import signal
import threading

import pytest

from ttfslib.experiment._interrupts import interrupts_held_back


@pytest.fixture(autouse=True)
def _ctrl_c_interrupts():
    """As in a terminal: a shell lets what it runs in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def is_free():
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_waits_until_it_is_let_in():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held_back() as let_in:
        let_in()
        press_ctrl_c()
        done.append("step")
        let_in()
        done.append("another")
    assert done == ["step"]
    assert is_free()


def test_at_the_latest_it_comes_when_the_work_is_done():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held_back():
        press_ctrl_c()
        done.append("everything")
    assert done == ["everything"]
    assert is_free()


def test_the_second_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held_back():
        press_ctrl_c()
        done.append("once")
        press_ctrl_c()
        done.append("twice")
    assert done == ["once"]
    assert is_free()


def test_an_error_is_not_hidden_by_it():
    with pytest.raises(OSError, match="disk"), interrupts_held_back():
        press_ctrl_c()
        raise OSError("disk")
    assert is_free()


def test_without_ctrl_c_nothing_happens():
    with interrupts_held_back() as let_in:
        let_in()
    assert is_free()


def test_a_handler_of_somebody_else_stays():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append("Ctrl-C"))
    try:
        with interrupts_held_back() as let_in:
            press_ctrl_c()
            let_in()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == ["Ctrl-C"]


def test_in_a_thread_it_changes_nothing():
    done = []

    def work():
        with interrupts_held_back() as let_in:
            let_in()
            done.append(is_free())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
