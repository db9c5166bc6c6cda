import time

from mia_tui.runs.worker.start_clock import StartClock, run_began


def test_the_start_is_measured_from_the_beginning_of_the_process_without_the_wait_for_others() -> None:
    now = time.monotonic()
    clock = StartClock(now - 100.0)
    clock.settled()
    time.sleep(0.05)
    clock.turn_came()
    timed = clock.ended(time.monotonic())
    assert 100.0 <= timed.parts["settings"] <= timed.total_s
    assert timed.total_s - timed.parts["settings"] < time.monotonic() - now - 0.04, "waited 0.05 s"


def test_what_is_no_part_of_the_start_is_left_out() -> None:
    begun = time.monotonic()
    clock = StartClock()
    with clock.paused():
        time.sleep(0.05)
    assert clock.ended(time.monotonic()).total_s < time.monotonic() - begun - 0.04


def test_times_of_a_part_add_up_and_parts_keep_their_order() -> None:
    clock = StartClock()
    with clock.part("network"):
        pass
    for _ in range(2):
        with clock.part("libraries"):
            time.sleep(0.01)
    timed = clock.ended(time.monotonic())
    assert list(timed.parts) == ["libraries", "network", "first step"]
    assert timed.parts["libraries"] >= 0.02


def test_only_the_first_run_of_a_process_began_with_it() -> None:
    run_began()
    before = time.monotonic()
    assert run_began() >= before


def test_a_process_that_goes_on_with_the_start_of_another_one_adds_to_its_times() -> None:
    first = StartClock(time.monotonic() - 100.0)
    with first.part("libraries"):
        time.sleep(0.01)
    second = StartClock.taken_over(first.hand_over())
    with second.part("libraries"):
        time.sleep(0.01)
    timed = second.ended(time.monotonic())
    assert timed.total_s >= 100.0 and timed.parts["libraries"] >= 0.02
