"""Which settings are tried next, for how long, and which are chosen; numbers only, no networks.

The search goes along one setting after the other: from the best settings so far one step up, and another one as long
as that is better, else down. Learning rate and weight decay come first, since a plain network with these two tuned
beats all but one of eight methods made for small data (Brigato et al. 2021, arXiv:2108.13122); then the same in finer
steps, and the length.

Trials are judged on images that they did not learn from. A validation part of a few images tells little, so with less
than `LEAST_VALIDATION` all images are used by cross-validation: for each trial as many networks as folds, each judged
on the images that the others learn from. (Brigato & Mougiakakou 2024, arXiv:2403.05532, choose by the loss and the
norm of the weights on training images alone, but need a dense grid of long trainings for that.)

A choice other than the usual settings must be clearly better on the same images: by `CLEAR` standard errors.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mia_tui.catalog.optimizers import OPTIMIZERS
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.run import LEAST_TRIAL_STEPS, tuned_settings
from mia_tui.runs.record.trials import DoneTrial, TrialsChoice, settings_words

Settings = dict[str, float]
Losses = npt.NDArray[np.float64]

LEAST_VALIDATION = 200
"""Images of a validation part that is good enough to judge trials by itself."""

FOLDS = 3

CLEAR = 1.0
"""Standard errors that a gain over the usual settings, or by a longer training, must have (Breiman et al. 1984,
"Classification and regression trees", the rule of one standard error)."""

_LEAST_EPOCHS = 2
_MOST_LONGER = 4  # times as many epochs as the run was asked for
_LENGTH_SHARE = 0.2  # of the length of the run that trials need before they can tell whether longer is better
_LEAST_DECAY = 1e-4  # the first one that is tried by an optimizer whose usual one is 0
_STAGES = (
    ("lr", 3.0),
    ("weight_decay", 10.0),
    ("lr", math.sqrt(3.0)),
    ("weight_decay", math.sqrt(10.0)),
    ("epochs", 2.0),  # last, since all that is tried behind a longer training would take as long
)
_LENGTHS = 2  # trials of longer trainings, twice and four times as long


@dataclass(frozen=True)
class TrialPlan:
    """How the trials of a run are done.

    Attributes:
        names: The settings that are tried.
        base: Their values without trials.
        count: How many trials at most.
        share: Length of a trial as a share of that of the training that it stands for.
        folds: Networks for each trial; 1 where the validation part judges.
    """

    names: tuple[str, ...]
    base: Settings
    count: int
    share: float
    folds: int

    def epochs_of(self, settings: Settings) -> int:
        """Epochs of a trial of some settings."""
        return max(_LEAST_EPOCHS, round(settings["epochs"] * self.share))


def plan_trials(config: TrainConfig, *, train: int, val: int) -> TrialPlan:
    """Plan the trials of a run.

    Args:
        config: Its settings.
        train: How many images it trains on.
        val: How many validate it.
    """
    names = tuned_settings(config)
    folds = 1 if val >= LEAST_VALIDATION else FOLDS
    images = train if folds == 1 else (train + val) * (folds - 1)
    run_steps = train / config.batch_size * config.epochs
    one = images / config.batch_size * config.epochs
    lengths = (
        4 if "epochs" in names else 0
    )  # what two trials that are twice and four times as long take beyond two
    share = max(config.trial_share * run_steps, LEAST_TRIAL_STEPS) / (one * (config.trials + lengths))
    if share < _LENGTH_SHARE:
        names = tuple(name for name in names if name != "epochs")
        share *= (config.trials + lengths) / config.trials
    return TrialPlan(names, base_settings(config), config.trials, min(1.0, share), folds)


def base_settings(config: TrainConfig) -> Settings:
    """The settings that can be tried, as a run has them without trials."""
    row = OPTIMIZERS[config.optimizer]
    return {
        "lr": row.lr if config.lr is None else config.lr,
        "weight_decay": row.weight_decay if config.weight_decay is None else config.weight_decay,
        "epochs": float(config.epochs),
    }


def next_settings(plan: TrialPlan, scores: Sequence[float]) -> Settings | None:
    """The settings of the next trial.

    Args:
        plan: The plan.
        scores: Of the trials that are done, in their order; the less, the better.

    Returns:
        None if no trial is left.
    """
    if len(scores) >= plan.count:
        return None
    search = _search(plan)
    found = next(search)
    try:
        for score in scores:
            found = search.send(score)
    except StopIteration:
        return None
    return found


def _search(plan: TrialPlan) -> Generator[Settings, float, None]:
    """Gives the settings of each trial, and is sent its score."""
    best, tried = dict(plan.base), [dict(plan.base)]
    best_score = yield dict(best)
    most = plan.count - (_LENGTHS if "epochs" in plan.names else 0)  # of the same length
    for name, ratio in _STAGES:
        if name not in plan.names:
            continue
        for factor in (ratio, 1.0 / ratio):
            has_gained = False
            for _ in range(2):
                settings = _moved(plan, best, name, factor)
                if settings is None or settings in tried or (name != "epochs" and len(tried) >= most):
                    break
                tried.append(settings)
                score = yield dict(settings)
                if score >= best_score:
                    break
                best, best_score, has_gained = settings, score, True
            if has_gained:
                break


def _moved(plan: TrialPlan, settings: Settings, name: str, factor: float) -> Settings | None:
    """Settings with another value of one of them; None where that is not tried."""
    value = settings[name] * factor
    if name == "epochs":
        if not plan.base["epochs"] < value <= plan.base["epochs"] * _MOST_LONGER:
            return None  # a shorter training is not what was asked for, and its best epoch is kept anyway
        value = round(value)
    elif name == "weight_decay" and not settings[name]:
        if factor < 1.0:
            return None
        value = _LEAST_DECAY
    return {**settings, name: float(f"{value:.3g}") if name != "epochs" else value}


def gain_over(
    base: Losses, losses: Losses, groups: npt.NDArray[np.int64], weights: Losses
) -> tuple[float, float]:
    """How much less the mean loss is, and the standard error of that over groups of images.

    Args:
        base: Loss of each image by the usual settings, shape (n,).
        losses: By others, shape (n,).
        groups: Number of the group of each image, from 0, shape (n,).
        weights: How much each image counts, shape (n,).
    """
    total = weights.sum()
    differences = (base - losses) * weights / total
    mean = float(differences.sum())
    sums = np.bincount(groups, differences - mean * weights / total)
    count = len(np.unique(groups))
    if count < 2:
        return mean, float("inf")
    return mean, math.sqrt(float((sums**2).sum()) * count / (count - 1))


def choose(
    plan: TrialPlan, done: Sequence[DoneTrial], groups: npt.NDArray[np.int64], weights: Losses
) -> TrialsChoice:
    """The settings by which a run is trained after its trials.

    Args:
        plan: The plan.
        done: The trials.
        groups: As for `gain_over`.
        weights: As for `gain_over`.
    """
    first, *others = done
    clear = [one for one in others if one.trial.gain > CLEAR * one.trial.error]
    best = max(clear, key=lambda one: one.trial.gain, default=first)
    for one in clear:  # a longer training must be clearly better than a shorter one
        if one.trial.settings["epochs"] < best.trial.settings["epochs"]:
            gain, error = gain_over(np.array(one.losses), np.array(best.losses), groups, weights)
            if gain <= CLEAR * error:
                best = one
    return TrialsChoice(
        number=best.trial.number,
        settings={name: best.trial.settings[name] for name in plan.names},
        trials=len(done),
        seconds=sum(one.trial.seconds for one in done),
        why=_why(done, best),
    )


def _why(done: Sequence[DoneTrial], best: DoneTrial) -> str:
    trial, words = best.trial, settings_words(best.trial.settings)
    if trial.number == 1:
        return f"None of {len(done)} trials was clearly better than the usual settings ({words}), which are kept."
    share = trial.gain / max(1e-9, trial.score + trial.gain)
    return (
        f"Chosen: {words}. The loss of images that were not learned from is {share:.0%} lower than with the usual "
        f"settings ({trial.gain / max(1e-9, trial.error):.1f} standard errors)."
    )


def usual_choice(plan: TrialPlan, why: str) -> TrialsChoice:
    """The usual settings, where nothing can be tried."""
    settings: Mapping[str, float] = plan.base
    return TrialsChoice(
        number=1, settings={name: settings[name] for name in plan.names}, trials=0, seconds=0.0, why=why
    )
