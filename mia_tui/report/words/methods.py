"""What was done, as a paragraph for the methods of a paper: from the job, the events and the results alone.

What the run does not record is left out, such as the machine beside its device.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from mia_tui import __version__
from mia_tui.analysis.metrics import Estimate
from mia_tui.catalog.backbones import BACKBONES, TIMM_PREFIX
from mia_tui.catalog.metrics import metric_words
from mia_tui.catalog.optimizers import OPTIMIZERS
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.class_weights import parse_class_weights
from mia_tui.dataset.interchange.folders import PART_FOLDERS
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.report.evaluated import EvaluatedResults
from mia_tui.report.facts import RunFacts
from mia_tui.report.numbers import ResultNumbers
from mia_tui.report.words.augmentations import augmentations_in_words
from mia_tui.runs.record.decision import Decision
from mia_tui.runs.record.input_words import input_sentence
from mia_tui.runs.record.job import TrainJob
from mia_tui.runs.record.state import RunState
from mia_tui.runs.record.trials import settings_words
from mia_tui.text import counted, join_names, name_some, printable, scientific

_SAMPLING = {
    "balanced": "training images drawn so that all classes were shown equally often",
    "sqrt": "training images drawn so that classes were shown by the square root of their number of images",
}
_MOST_CLASSES = 12
_FIGURES = ("accuracy", "balanced_accuracy", "macro_f1")
_PART_WORDS = {"train": "for training", "val": "for validation", "test": "for testing"}
_RESIZE = {"nearest": "nearest neighbour", "linear": "bilinear", "cubic": "bicubic", "lanczos": "Lanczos"}
_TUNED = {"lr": "learning rate", "weight_decay": "weight decay", "epochs": "number of epochs"}
_NUMBERS = {"bf16": "bfloat16", "fp16": "float16"}
_FIT = {
    "squash": "stretched to the input size as a whole",
    "letterbox": "fitted into the input size with black borders, without distortion",
    "crop": "scaled without distortion and cropped to their middle",
}


def methods_paragraph(facts: RunFacts, numbers: ResultNumbers | None) -> str:
    """The paragraph; plain text.

    Args:
        facts: What is known of the run.
        numbers: Of the main results; None without any.
    """
    sentences: list[str] = []
    if facts.training is not None:
        sentences += _training(facts, facts.training)
    elif facts.card is not None:
        sentences.append(
            f"Images were classified with {_network_name(facts.card.backbone)} "
            f"({facts.card.width} × {facts.card.height} pixels; {_classes(facts)}) whose training is not at hand."
        )
    if numbers is not None:
        sentences += _evaluation(facts, numbers)
    sentences.append(_software(facts))
    return " ".join(sentences)


def _training(facts: RunFacts, job: TrainJob) -> Iterator[str]:
    config = job.config
    size = f", {facts.parameters:,} parameters" if facts.parameters else ""
    kind = "A neural" if config.backbone.startswith(TIMM_PREFIX) else "A convolutional neural"
    yield (
        f"{kind} network ({_network_name(config.backbone)}{size}) was trained to sort images into "
        f"{_classes(facts)}."
    )
    yield from _split(facts, config)
    yield _input(facts, config)
    yield _start(config)
    yield from _optimisation(config)
    words = augmentations_in_words(config)
    yield (
        f"In each epoch the training images were changed at random: {'; '.join(words)}."
        if words
        else "Training images were not augmented."
    )
    yield from _course(facts, config)


def _network_name(backbone: str) -> str:
    if backbone.startswith(TIMM_PREFIX):
        return f"{printable(backbone.removeprefix(TIMM_PREFIX))} of timm"
    return printable(backbone)


def _classes(facts: RunFacts) -> str:
    names = facts.classes
    count = counted(len(names), "class", "classes")
    if len(names) > _MOST_CLASSES:
        return count
    return f"{count} ({join_names([printable(name) for name in names])})"


def _split(facts: RunFacts, config: TrainConfig) -> Iterator[str]:
    parts = {part: sum(of[part] for _, of in facts.counts()) for part in _PART_WORDS}
    total = sum(parts.values())
    if not total:
        return
    used = [f"{count:,} {_PART_WORDS[part]}" for part, count in parts.items() if count]
    stacks = sum(sample.frame == WHOLE_STACK for sample in facts.samples)
    how = "the brightest value of each pixel" if config.stack == "max" else f"the {config.stack} frame"
    how = "the mean of each pixel over all frames" if config.stack == "mean" else how
    of_stacks = f"; of {counted(stacks, 'stack')} {how} was taken" if stacks else ""
    images = counted(total, "labelled image was used", "labelled images were used")
    yield f"{images}: {join_names(used)}{of_stacks}."
    if config.val is not None:
        yield "The images for validation came from a folder of their own."
        return
    if len(used) > 1:
        yield _division(facts, config)


def _division(facts: RunFacts, config: TrainConfig) -> str:
    """How images were divided into parts, a sentence."""
    folders = [
        PART_FOLDERS.get(sample.path.partition("/")[0].casefold()) if "/" in sample.path else None
        for sample in facts.samples
    ]
    drawn = "They were divided at random, in the same proportions in each class as far as possible"
    if all(folders):
        if all(part == sample.split for part, sample in zip(folders, facts.samples, strict=True)):
            return "The parts were given by the folders of the images."
        drawn = (
            "Parts without a folder of their own were drawn at random, in the same proportions in each class"
        )
    if config.group_by is not None:
        drawn += (
            f"; images whose paths agree in the pattern “{printable(config.group_by)}” were kept in one part"
        )
    return f"{drawn} (seed {config.split_seed})."


def _input(facts: RunFacts, config: TrainConfig) -> str:
    sides = f"{config.width} × {config.height} pixels"
    if config.pixel_size is not None:
        fit = f"scaled to {config.pixel_size:g} µm a pixel and cropped or filled up with black to {sides}"
    else:
        fit = f"{_FIT[config.geometry]} ({sides})"
    words = f"Images were {fit} with {_RESIZE[config.resize]} interpolation and anti-aliasing"
    if facts.input_map is not None:
        channels, _, values = input_sentence(facts.input_map, color=config.color, pixel_size=None).partition(
            "; "
        )
        channels = f"in {channels}" if channels in ("colour", "grey") else f"the {channels}"
        words += f"; the input of the network was {channels} ({values})"
    card = facts.card
    if card is not None:
        mean, deviation = (
            join_names([f"{value:.4g}" for value in values]) for values in (card.mean, card.std)
        )
        words += ". Pixel values, scaled to the range from 0 to 1, were normalised with "
        words += f"mean {mean} and standard deviation {deviation}"
    return f"{words}."


def _start(config: TrainConfig) -> str:
    if config.weights == "none":
        return "The weights were initialised at random."
    if config.weights == "imagenet":
        row = BACKBONES.get(config.backbone)
        tag = f" (timm, {row.timm}.{row.tag})" if row is not None and row.tag is not None else ""
        return f"Training started from weights learned on ImageNet{tag}, and {_trained(config)}."
    name = PurePosixPath(config.weights)
    return f"Training started from the weights in the file {printable(name.name)}, and {_trained(config)}."


def _trained(config: TrainConfig) -> str:
    """Which layers were trained when, to follow `and`."""
    if not config.freeze_epochs:
        return "all layers were trained"
    if config.freeze_epochs >= config.epochs:
        return "the last layer alone was trained"
    epochs = "epoch" if config.freeze_epochs == 1 else f"{config.freeze_epochs:g} epochs"
    return f"the last layer was trained alone for the first {epochs}, then all layers"


def _optimisation(config: TrainConfig) -> Iterator[str]:
    row = OPTIMIZERS[config.optimizer]
    rate = row.lr if config.lr is None else config.lr
    decay = row.weight_decay if config.weight_decay is None else config.weight_decay
    more = f", momentum {config.momentum:g}" if row.has_momentum else ""
    yield (
        f"Weights were optimised with {row.title} (learning rate {_rate(rate)}{more}, weight decay "
        f"{_rate(decay)} except for biases and norms) in batches of {counted(config.batch_size, 'image')}; "
        f"{_schedule(config)}."
    )
    yield f"The loss was {_loss(config)}."
    extra = [
        words
        for value, words in (
            (config.drop_rate, f"dropout of {config.drop_rate:g} before the last layer"),
            (config.drop_path_rate, f"stochastic depth with a rate of {config.drop_path_rate:g}"),
            (config.ema_decay, f"an exponential moving average of the weights (decay {config.ema_decay:g})"),
            (
                config.average_epochs,
                f"the mean of the weights at the end of the last {counted(config.average_epochs, 'epoch')}",
            ),
            (
                config.layer_decay < 1,
                f"for each stage of layers {config.layer_decay:g} times the learning rate of the stage behind it",
            ),
            (
                config.start_size < 1,
                f"an input that grew in four steps from {config.start_size:g} of its width and height",
            ),
            (config.sampling != "all", _SAMPLING.get(config.sampling, "")),
            (config.refresh_norms, "batch normalisation measured anew before each validation"),
        )
        if value
    ]
    if extra:
        verb = "was" if len(extra) == 1 else "were"
        used = f"{join_names(extra)} {verb} used."
        yield used[0].upper() + used[1:]


def _schedule(config: TrainConfig) -> str:
    match config.schedule:
        case "plateau":
            patience = counted(config.plateau_patience, "epoch")
            words = f"the learning rate was multiplied by {config.plateau_factor:g} after {patience} without "
            words += "improvement"
        case "step":
            every = counted(config.step_epochs, "epoch")
            words = f"the learning rate was multiplied by {config.step_factor:g} every {every}"
        case "cosine":
            rising = min(config.warmup_epochs, config.epochs / 2)
            warmup = f"{rising:g} {'epoch' if rising == 1 else 'epochs'}"
            begin = f"rose linearly for {warmup} and then " if rising else ""
            words = f"the learning rate {begin}fell along half a cosine"
        case _:
            return "the learning rate was constant"
    return f"{words}, to no less than {_rate(config.min_lr)}"


def _rate(value: float) -> str:
    return scientific(value, 1) if 0 < value < 1e-4 and f"{value:.0e}" == f"{value:g}" else f"{value:g}"


def _loss(config: TrainConfig) -> str:
    words = {
        "cross_entropy": "cross entropy",
        "focal": f"focal loss (gamma {config.focal_gamma:g})",
        "kl": "the Kullback-Leibler divergence",
    }.get(config.loss, printable(config.loss).replace("_", " "))
    more = [f"label smoothing {config.label_smoothing:g}"] if config.label_smoothing else []
    weighting = parse_class_weights(config.class_weights)
    if isinstance(weighting, dict):
        given = join_names([f"{printable(name)} {weight:g}" for name, weight in weighting.items()])
        more.append(f"weights of classes set by hand ({given}; others 1)")
    elif weighting == "inverse":
        more.append("classes weighted by the inverse of their number of images")
    elif weighting == "sqrt":
        more.append("classes weighted by the inverse square root of their number of images")
    elif weighting == "effective":
        more.append(f"classes weighted by their effective number of images (beta {config.effective_beta:g})")
    return f"{words} with {join_names(more)}" if more else words


def _trials(state: RunState) -> Iterator[str]:
    """How settings were chosen before the training; nothing where they were not."""
    choice = state.choice
    if choice is None or not choice.trials:
        return
    tried = join_names([_TUNED[name] for name in choice.settings if name in _TUNED], "and")
    images = counted(state.trials[0].images, "image") if state.trials else "images"
    kept = ", which were the usual ones" if choice.number == 1 else ""
    yield (
        f"Before, {tried} were chosen by {choice.trials} short trainings, judged by the cross entropy of {images} "
        f"that each had not learned from: {settings_words(choice.settings)}{kept}."
    )


def _course(facts: RunFacts, config: TrainConfig) -> Iterator[str]:
    """How long it was trained, how it ended, and which epoch was kept."""
    state = facts.state
    if state is None or not state.epochs:
        return
    done, best = state.epochs[-1].epoch, state.best
    epochs = counted(done, "epoch")
    yield from _trials(state)
    if done >= config.epochs:
        yield f"The network was trained for {epochs} (seed {config.seed})."
    elif state.outcome == "finished" and config.early_stop:
        patience = counted(config.early_stop, "epoch")
        yield f"Training ended after {epochs} (seed {config.seed}), since {patience} had brought no improvement."
    else:
        yield f"Training was ended after {done:,} of {counted(config.epochs, 'epoch')} (seed {config.seed})."
    resumed = len(facts.attempts) - 1
    if resumed > 0:
        yield f"It was interrupted and resumed from its last checkpoint {_times(resumed)}."
    left_out = max((row.left_out.count for row in state.epochs if row.left_out is not None), default=0)
    if left_out:
        were = "was" if left_out == 1 else "were"
        yield f"Up to {counted(left_out, 'image')} could not be read and {were} left out."
    if best is not None:
        extreme = "lowest" if config.metric == "loss" else "highest"
        part = "validation" if best.val is not None else "training"
        yield (
            f"The weights of epoch {best.epoch}, which had the {extreme} {part} {metric_words(config.metric)}, "
            "were kept."
        )


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _evaluation(facts: RunFacts, numbers: ResultNumbers) -> Iterator[str]:
    evaluated = numbers.evaluated
    what = _what(evaluated, numbers.image_count, is_trained_here=facts.training is not None)
    yield f"The network was evaluated on {what}{_how(evaluated)}: {_values(numbers)}."
    yield from _intervals(numbers)
    if facts.decision is not None:
        yield from _decision(facts.decision, numbers)


def _intervals(numbers: ResultNumbers) -> Iterator[str]:
    """How the intervals in brackets were computed; not all need be alike."""
    of_method: dict[str, list[str]] = {}
    for name in _FIGURES:
        interval = numbers.metrics.overall[name].interval
        if interval is not None:
            of_method.setdefault(interval.method, []).append(metric_words(name))
    if not of_method:
        return
    words = [f"{method}{_of(names) if len(of_method) > 1 else ''}" for method, names in of_method.items()]
    yield f"Brackets hold 95 % intervals ({'; '.join(words)})."


def _of(names: list[str]) -> str:
    return f" for {join_names(names)}"


def _decision(decision: Decision, numbers: ResultNumbers) -> Iterator[str]:
    """Temperature and threshold: on what they were chosen, and what they do to the evaluated images."""
    part = {"val": "the validation part", "test": "the test part"}.get(decision.part, "all labelled images")
    on = f"chosen on {counted(decision.images, 'image')} of {part}"
    if decision.temperature != 1.0 and numbers.reliability is not None:
        yield f"Probabilities were calibrated by temperature scaling ({decision.temperature:.3g}, {on})."
    found = numbers.answered
    if found is None:
        return
    limit = f"below {decision.threshold:.3g}"
    if decision.by_class:
        own = [f"{printable(name)} {value:.3g}" for name, value in decision.by_class.items()]
        limit = f"below a threshold of their class ({name_some(own, _MOST_CLASSES)}; others {decision.threshold:.3g})"
    right = "" if found.accuracy is None else f", {found.accuracy:.1%} of them correctly"
    yield (
        f"Images whose most probable class had a probability {limit} ({on}) were left unclassified; "
        f"{found.coverage:.1%} of the evaluated images were classified{right}."
    )


def _what(evaluated: EvaluatedResults, count: int, *, is_trained_here: bool) -> str:
    """The evaluated images; whether the network was trained on them is known only where its training is at hand."""
    images = counted(count, "image")
    split = evaluated.results.split
    where = "" if evaluated.is_own else f" of {printable(evaluated.results.dataset.name)}"
    if evaluated.trained_on:
        return f"{images}{where}, {evaluated.trained_on:,} of which it had been trained on"
    if split == "test" and evaluated.is_own:
        return (
            f"the {images} of the test part, which were used neither for training nor for choosing the epoch"
        )
    if split == "val" and evaluated.is_own:
        return f"the {images} of the validation part, which were not trained on"
    if split == "train":
        return f"the {images} that it was trained on"
    if is_trained_here and evaluated.results.which == "evaluation":
        return f"{images}{where}, which were not trained on"
    return f"{images}{where}"


def _how(evaluated: EvaluatedResults) -> str:
    return ", averaging over flipped and rotated copies of each image" if evaluated.tta else ""


def _values(numbers: ResultNumbers) -> str:
    overall = numbers.metrics.overall
    return join_names(
        [f"{metric_words(name)} {_estimate(overall[name])}" for name in _FIGURES if name in overall]
    )


def _estimate(estimate: Estimate) -> str:
    if estimate.interval is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.interval.low:.3f}–{estimate.interval.high:.3f})"


def _software(facts: RunFacts) -> str:
    """The versions of the training; of an evaluation alone those of this program."""
    started = facts.attempts[-1] if facts.attempts else None
    if started is None:
        return f"Analyses were done with mia-tui {__version__}."
    versions, state = started.versions, facts.state
    names = {"torch": "PyTorch", "timm": "timm", "python": "Python"}
    libraries = [f"{words} {printable(versions[name])}" for name, words in names.items() if name in versions]
    devices = list(dict.fromkeys(printable(each.device) for each in facts.attempts if each.device))
    on = f" on {name_some(devices)}" if devices else ""
    numbers = [_NUMBERS[each.arithmetic] for each in facts.attempts if each.arithmetic in _NUMBERS]
    mixed = f" in mixed precision ({join_names(dict.fromkeys(numbers))})" if numbers else ""
    took = "" if state is None or not state.elapsed_s else f" and took {_minutes(state.elapsed_s)}"
    others = {attempt.versions.get("mia-tui") for attempt in facts.attempts} - {versions.get("mia-tui")}
    before = (
        f" (earlier attempts with other versions: {name_some(sorted(filter(None, others)))})"
        if others
        else ""
    )
    program = printable(versions.get("mia-tui", __version__))
    libraries_of = f" with {join_names(libraries)}" if libraries else ""
    return f"Training was done with mia-tui {program}{libraries_of}{before}{on}{mixed}{took}."


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return counted(max(1, round(seconds)), "second")
    if seconds < 5400:
        return counted(round(seconds / 60), "minute")
    return f"{seconds / 3600:.1f} hours"
