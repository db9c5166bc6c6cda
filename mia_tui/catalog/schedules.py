"""Schedules of the learning rate to choose from."""

from typing import Literal

ScheduleName = Literal["constant", "plateau", "step", "cosine"]

SCHEDULES: dict[ScheduleName, str] = {
    "constant": "the same rate throughout",
    "plateau": "times a factor when the watched metric has not improved for some epochs",
    "step": "times a factor every so many epochs",
    "cosine": "down to the floor along half a cosine, after a linear warm-up",
}
