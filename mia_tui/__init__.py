"""Sort images into classes, train a network on them, and let it classify all others.

The packages, from the top down; each imports only from those below it:

    cli/                        the commands, and all output of the command line
    tui/  worker.py             the app; the process of a run; and beside them two processes that help the app:
    previewer.py                augmented images for the form
    image_predictor.py          what a network says of the image on screen
    engine/                     everything that imports torch: network/ data/ training/ inference/
    runs/                       runs on disk and their processes: record/ worker/ list/ preflight/ prediction/ …
    terminal/                   what a terminal can do, and pictures for it
    dataset/                    images and labels on disk: scan/ listing/ images/ store/ session/ split/ interchange/
    config/                     what a user can set: fields with range, unit and help
    catalog/                    what a user can choose: backbones, losses, metrics, optimizers, schedules
    disk_errors.py decoding.py files.py paths.py text.py errors.py memory.py    sentences about full and read-only
                                disks, valid records, safe files, names of files, text, errors, free memory

Where things go
---------------
    backbone            a row in catalog/backbones.py
    loss                a line in catalog/losses.py, and its formula in engine/training/losses.py; a parameter is a
                        field in config/train.py (as `focal_gamma`), with a value in config/recipes.py
    metric              a line in catalog/metrics.py, and its formula in runs/evaluation/confusion.py
    optimizer           a row in catalog/optimizers.py
    schedule            a line in catalog/schedules.py, its rate in engine/training/optim.py, its fields in
                        config/train.py and config/recipes.py
    augmentation        a function in engine/data/augment.py with a number of its own for random values, its fields in
                        config/train.py and config/recipes.py
    training setting    a field in config/train.py; form, option, file and help follow from it
    image format        a record in dataset/images/formats.py; unless Pillow reads it, its reader, a module in
                        dataset/images/readers/; its ending leaves those in dataset/scan/other_kinds.py
    geometry            its formula in dataset/images/network/geometry.py, its name in `Geometry` of config/train.py
    intensity           its limits in dataset/images/network/measuring.py, their use in
                        dataset/images/network/brightness.py, its name in `Intensity` of config/train.py and
                        `IntensityMode` of dataset/images/intensity.py
    label format        a record in dataset/interchange/formats.py, and its reader or writer in a module beside it
    prediction format   a record in runs/prediction/formats.py
    command             a line in cli/main.py, and its module in cli/
    key                 a line in the table of its screen in tui/keys/tables/, and what it does in `by_name` of the
                        screen's commands (tui/label/commands.py and its like)
    screen              a folder in tui/, a table of its keys, and its name in tui/keys/tables/__init__.py
    action on runs      a class in runs/actions/, a key in tui/keys/tables/runs.py, and a command in cli/runs/
    kind of job         its settings in a module of config/, listed in config/jobs.py; its work in a module of
                        engine/jobs/ with the name of the kind, which gets a runs/worker/attempt.py
    helping process     a module beside previewer.py, its messages in runs/; runs/worker/helper.py has the rest
    event               a record in runs/record/events.py, and its effect in runs/record/state.py
    error               a class in errors.py
    full disk           and any other disk that cannot be written: the sentences are in disk_errors.py; what SQLite
                        says of labels.db is translated in dataset/store/errors.py
    disk that is away   runs/disk.py waits for it; whether it is the disk or an image: engine/data/disk_watch.py
"""

TYPE_CHECKING = False  # as in typing, whose import takes longer than all the rest
if TYPE_CHECKING:
    from mia_tui.dataset.images.reading import read_image as read_image

__version__ = "0.1.0"
__all__ = ["read_image"]


def __getattr__(name: str) -> object:
    """What is for Python is imported when it is asked for: every command imports this module."""
    if name == "read_image":
        from mia_tui.dataset.images.reading import read_image

        return read_image
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
