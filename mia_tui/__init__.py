"""Sort images into classes, train a network on them, and let it classify all others.

The packages, from the top down; each imports only from those below it:

    cli/                        the commands, and all output of the command line
    tui/  worker.py             the app; the process of a run; and beside them three processes that help the app:
    previewer.py                augmented images for the form
    step_timer.py               how long a training takes, from some steps of it
    image_predictor.py          what a network says of the image on screen
    classifier.py               `from mia_tui import Classifier`
    report/                     a run for a paper: HTML, figures, archive; imported by `mia-tui report` alone
    engine/                     everything that imports torch: network/ data/ training/ inference/ export/ parallel/
    runs/                       runs on disk and their processes: record/ worker/ list/ preflight/ prediction/ …
    active/                     active learning on features: suggestions, the next image, pages, label issues (numpy)
    analysis/                   statistics of predictions: metrics with intervals, curves, calibration, counts (numpy)
    features/                   what a network sees in each image, as numbers on disk
    terminal/                   what a terminal can do, and pictures for it
    dataset/                    images and labels on disk: scan/ listing/ images/ store/ session/ split/ interchange/
                                decoded/
    config/                     what a user can set: fields with range, unit and help
    catalog/                    what a user can choose: backbones, losses, metrics, optimizers, schedules
    disk_errors.py decoding.py arrays.py files.py paths.py text.py errors.py memory.py    sentences about full and
                                read-only disks, valid records, arrays of numpy, safe files, names of files, text,
                                errors, free memory

Where things go
---------------
    recipe              a line in config/train/recipes.py and `RecipeName` of config/train, its words in
                        tui/training/pickers.py, and when it suits in runs/preflight/recommendation.py
    backbone            a row in catalog/backbones.py; weights that come with the program: engine/network/shipped.py
    loss                a line in catalog/losses.py, and its formula in engine/training/losses.py; a parameter is a
                        field in config/train/ (as `focal_gamma`), with a value in config/train/recipes.py
    metric              a line in catalog/metrics.py, and its formula in analysis/formulas.py
    optimizer           a row in catalog/optimizers.py; how it computes on a device: engine/training/optim.py
    schedule            a line in catalog/schedules.py, its rate in engine/training/optim.py, its fields in
                        config/train/ and config/train/recipes.py
    augmentation        a function in engine/data/augment.py with a number of its own for random values, what it does
                        to pixels in engine/data/augmentation/, its fields in config/train/ and
                        config/train/recipes.py, its words in report/words/augmentations.py
    setting to tune     its name in `TUNABLE` of config/train/run.py, its first value and its steps in
                        engine/training/trials/plan.py
    training setting    a field in config/train/, and when one would change it in config/train/advice.py; form,
                        option, file and help follow from them
    image format        a record in dataset/images/formats.py; unless Pillow reads it, its reader, a module in
                        dataset/images/readers/ that makes a `Source` (dataset/images/source.py), and its package in
                        `READER_PACKAGES` of dataset/images/network/measuring.py and in the extra of pyproject.toml;
                        its ending leaves `_PICTURES` of dataset/scan/other_kinds.py; a package without types is
                        named in the overrides of mypy in pyproject.toml
    geometry            its formula in dataset/images/network/geometry.py, its name in `Geometry` of config/train/
    intensity           its limits in dataset/images/network/measuring.py, their use in
                        dataset/images/network/brightness.py, its name in `Intensity` of config/train/ and
                        `IntensityMode` of dataset/images/intensity.py
    label format        a record in dataset/interchange/formats.py, and its reader or writer in a module beside it
    kind of label issue its numbers in a module of active/, its name in `IssueKind` of dataset/store/review/records.py
                        and by a migration in the table kept, a function in `_ISSUES` of cli/live/issues.py, a method
                        of `_Found` in tui/review/finder.py, and its titles in tui/review/queue.py and
                        tui/review/chooser.py
    page of results     a `ResultPage` in tui/results/, in `ResultPageName` and in the screen there, its key in
                        tui/keys/tables/results.py; what it computes in analysis/, kept by tui/results/computed.py
    prediction format   a record in runs/prediction/formats.py; of another program, for labels, too, a module in
                        dataset/interchange/programs/, a line in runs/prediction/exporting.py, and as a label format
    model format        a line in catalog/model_formats.py, its writer in engine/export/, which is called and compared
                        in engine/export/export.py
    command             a line in cli/main.py, and its module in cli/
    key                 a line in the table of its screen in tui/keys/tables/, what it does in `by_name` of the
                        screen's commands (tui/label/commands.py and its like), and what people call it elsewhere in
                        tui/keys/other_words.py
    screen              a folder in tui/, a table of its keys, its name in tui/keys/tables/__init__.py, and its module
                        in `PIECES` of tui/controller/idle_imports.py; what makes it quick: tui/screen.py
    step of the tour    a `TourStep` in tui/tour/tour.py, and `did` of the screen where it happens
    choice that is kept a field in config/user/kept.py
    what people judge   a table in dataset/store/migrations.py, its queries and edits in dataset/store/review/, how
                        it is undone in dataset/store/review/undo.py, what is shown of it in
                        dataset/session/people.py
    kind of terminal    what is asked of it in terminal/answers.py, what it can do in terminal/choose.py, a line in
                        tui/manual/pages/terminals.md, and a model of it, which the tests have
    figure of results   its formula in analysis/, a field in cli/results/figures.py and tui/results/computed.py; its
                        words in cli/results/printing.py, its JSON in cli/results/records.py, its rows in
                        cli/results/csv_file.py, and a line in tui/manual/pages/results.md
    section of a report its numbers in report/numbers.py, its words in report/words/, its figure in report/figures.py,
                        and its place in report/templates/report.html
    action on runs      a class in runs/actions/, a key in tui/keys/tables/runs.py, and a command in cli/runs/
    kind of job         its settings in a module of config/, listed in config/jobs.py; its work in a module of
                        engine/jobs/ with the name of the kind, which gets a runs/worker/attempt.py
    helping process     a module beside previewer.py, its messages in runs/; runs/worker/helper.py has the rest
    event               a record in runs/record/events.py, and its effect in runs/record/state.py
    error               a class in errors.py
    full disk           and any other disk that cannot be written: the sentences are in disk_errors.py; what SQLite
                        says of labels.db is translated in dataset/store/errors.py
    disk that is away   runs/disk.py waits for it; whether it is the disk or an image: engine/data/disk_watch.py

What happens
------------
Each line passes through its modules in this order.

    F2, label and next image
        tui/keys/tables/label.py finds the command, tui/keys/command_queue.py lets one key after the other have its
        turn, `_assign` of tui/label/commands.py -> tui/controller/label_controller.py ->
        tui/controller/store_thread.py -> dataset/store/edits.py, which writes label and history in one transaction
        (dataset/store/transactions.py). Only what was written is applied: dataset/session/changes.py, and
        dataset/session/session.py moves on; if it fails, `_assign` ends before that, and tui/keys/command_queue.py
        drops the keys behind it. tui/label/picture/current_picture.py then shows the next image.
    an image file on the screen
        tui/label/picture/current_picture.py -> tui/pictures/scheduler.py -> a thread of tui/pictures/cache.py ->
        `render_image` of dataset/images/rendering.py: dataset/images/reading.py opens the file with the reader
        that dataset/images/formats.py names, dataset/images/screen/pixels.py reads what is seen of it,
        dataset/images/screen/windows.py finds black and white, dataset/images/channels.py the colours.
        terminal/pictures.py makes bytes for the terminal of it, tui/pictures/image_view.py paints them.
    an image file in a tile
        `_want` of tui/mosaic/mosaic.py -> tui/mosaic/tile_pictures.py -> tui/pictures/cache.py, and from there as
        above; tui/mosaic/painter.py writes the pixels behind the cells of each tile, tui/mosaic/kitty_tiles.py knows
        which of them the terminal holds. What frames say of a session is in tui/grid/view.py.
    a page of look-alikes
        `show_pages` of tui/label/commands.py -> tui/look_alikes/opening.py chooses a source of
        tui/look_alikes/sources.py: the live suggestions (tui/live/live_suggestions.py, active/pages.py),
        those of a run, or the neighbours of an image. tui/look_alikes/pages.py says which page is next, and
        tui/look_alikes/page.py what each image gets; Enter writes all of it in one transaction. The frames are in
        tui/look_alikes/tiles.py, the pictures come as in other tiles.
    an image file for a network
        engine/data/reader.py -> `decode_input` of dataset/images/decode.py, in training, prediction and preview:
        dataset/images/reading.py opens the file; a picture of 8 bits is resized as it is, all others go through
        dataset/images/network/mapping.py by the `InputMap` of the run. engine/data/images.py caches the result
        during the first epoch, engine/data/feed.py makes batches of it, and engine/data/scaling.py the numbers that
        the network is given. A training also keeps it for later ones in the user's cache folder:
        dataset/decoded/images.py finds and reads it there, dataset/decoded/segment_writer.py adds to it, and
        dataset/decoded/room.py removes what was not used for longest.
    black and white of a deep image
        for a network dataset/images/network/measuring.py measures them once a run, and
        dataset/images/network/brightness.py applies them; on the screen dataset/images/screen/windows.py takes
        percentiles of each image, by default those of dataset/images/bit_depth.py.
    a form to the first epoch
        tui/training/form.py makes a `TrainConfig` (config/train/), checked by config/check.py; its first page is
        tui/training/start_page.py, whose minutes are those of tui/training/forecast.py and
        runs/preflight/duration.py, and whose advice is that of runs/preflight/recommendation.py;
        tui/training/check_screen.py -> runs/preflight/prepare.py chooses samples and parts
        (dataset/split/assignment.py), runs/preflight/checks.py says what would hurt, slides that
        dataset/split/name_groups.py finds in file names among it. `start_run` of
        runs/list/lifecycle.py writes the run's folder (runs/record/layout.py) and starts the worker
        (runs/worker/launch.py): worker.py takes the lock, waits for its turn, imports engine/jobs/train.py, which
        begins to read the images (engine/training/loading.py; brightness: engine/training/input_map.py) and only then
        imports engine/training/train.py, and timm with it. The loader builds the network meanwhile
        (engine/training/learner.py), and the steps begin. What happens goes to events.jsonl
        (runs/worker/attempt.py, runs/record/log.py); tui/runs/follow.py reads it, runs/record/state.py adds it up.
    trials to chosen settings
        engine/training/loading.py hands the decoded images to engine/training/trials/search.py, which asks
        engine/training/trials/plan.py for the next settings, trains, and judges on images that were not learned from
        (engine/training/trials/judge.py). Each trial goes to trials.jsonl (runs/record/trials.py) and the log; with
        the choice there, `RunDir.job` (runs/record/layout.py) has the chosen settings and no trials any more.
    a training that is repeated with other seeds
        `create_all` of runs/preflight/prepare.py makes a job for each (runs/preflight/repeats.py), which wait for
        each other; runs/list/repeats.py finds them by the name of their group, and computes mean and spread, which
        cli/runs/groups.py and tui/runs/compare_tables.py show.
    several networks that answer together
        runs/ensemble.py checks that they may, and names them in the settings of a prediction or evaluation;
        engine/jobs/network.py loads them, engine/inference/ensemble.py takes the mean of their probabilities.
    an epoch, from its first image to the weights that are kept
        engine/data/sampling.py says which images are shown, config/train/epoch_work.py at which size. `set_step` of
        engine/training/learner.py sets rates (engine/training/optim.py) and what learns, of which head and stages are
        told by engine/network/layer_stages.py. engine/training/steps/fast_steps.py does the steps, compiled or
        recorded (engine/training/steps/step_graphs.py) where that gains. At its end engine/network/averages.py adds
        the weights to their mean, engine/network/norms.py measures batch normalisation on training images, and
        engine/inference/evaluate.py asks the network about the validation part, of flips and turns as well if that is
        set.
    a rising learning rate to a suggested one
        cli/rate.py -> engine/rate_finder.py does the steps, analysis/rate_curve.py chooses a rate by their losses.
    the time of a training to its bottleneck
        runs/worker/start_clock.py measures the start, engine/training/time_use.py the steps, whose parts
        engine/data/feed.py marks; runs/record/time_use.py makes shares of it and a sentence.
    a label to the suggestions that are learned from it
        `_apply` of tui/controller/label_controller.py -> `labels_changed` of tui/live/live_suggestions.py, which
        gives the newest labels to the thread of tui/live/learner_thread.py: tui/live/learner.py takes features from
        features/table.py and learns (active/suggester.py). What was learned comes back as arrays by row:
        tui/controller/suggestions.py gives them to the session, if the live suggestions are shown. The most useful
        image is chosen along with that (active/choice.py); tui/live/useful_images.py goes there. The job that
        makes features is started by tui/live/feature_job.py once images of two classes are labelled. Where there are
        features of a run's network, too, tui/live/networks.py compares both (active/comparison.py) and takes the
        better ones.
    a prediction to the dashed frame
        `create_prediction` of runs/prediction/create.py -> worker.py -> engine/jobs/predict.py lists the images
        once (runs/prediction/listing.py) and writes a row for each (runs/prediction/predictions.py, from
        engine/inference/predict.py); runs/prediction/result.py makes a file or suggestions of them
        (runs/prediction/suggestions.py). tui/controller/suggestions.py gives those to
        dataset/session/image_states.py; `framing` of tui/label/words.py and tui/classes/class_frame.py draw it.
        After Ctrl+K, tui/label/suggestions/asked_network.py puts the answer of image_predictor.py in their place.
        The probabilities of the other classes are in a file of their own (runs/prediction/probabilities.py), which
        tui/label/suggestions/probabilities.py searches for the image on screen.
    where a network looks in an image
        `$` -> tui/label/suggestions/asking_commands.py: tui/label/suggestions/asked_network.py asks the process of
        image_predictor.py, whose `explain` (engine/inference/predict.py) takes the map of
        engine/inference/activation.py and lays it over the part of the image that the network sees. It comes back as
        a `HeatMap` in the `DisplaySettings` of that one image, which dataset/images/screen/heat.py draws.
    results of a run, and a threshold
        tui/results/screen.py -> tui/results/computed.py reads runs/evaluation/results.py once in a thread, and
        computes by analysis/ what a page asks for by its `missing`. The rows under the cursor become images in
        tui/results/images.py; tui/results/returning.py leads back from them. What Enter chooses in
        tui/results/threshold_page.py goes beside the weights (runs/record/decision.py). Two runs image by image:
        tui/results/pair_screen.py, runs/evaluation/pairs.py.
    a threshold to an unsure image
        cli/runs/threshold.py or tui/results/threshold_page.py -> runs/evaluation/threshold.py chooses it from the
        results of a run (runs/evaluation/results.py) by the curve of analysis/thresholds.py; runs/record/decision.py
        keeps it beside the weights. `create_prediction` of runs/prediction/create.py writes it into the settings of a
        prediction (`DecisionRule` of config/predict.py), engine/jobs/predict.py into the header of its rows, whose
        probabilities are at its temperature. runs/prediction/suggestions.py marks suggestions as unsure, and
        dataset/session/row_table.py keeps that for the app; image_predictor.py decides by it, too.
    how far an image is from all classes of a network
        While engine/training/train.py validates, engine/inference/head_input.py keeps what the head is given; for the
        best epoch engine/inference/familiar.py learns from it what is usual, and engine/training/checkpoint.py saves
        that within best.safetensors. engine/inference/predict.py scores images by it on the way.
        tui/controller/suggestions.py marks those that are beyond the limit.
    a run to its report
        cli/report.py, or `report` of tui/runs/run_actions.py, which starts the same command as a process
        (runs/actions/reporting.py) -> report/making.py: report/facts.py and report/evaluated.py read the run, its
        dataset and the evaluations of its weights, report/numbers.py computes (analysis/), report/figures.py draws,
        report/thumbnails.py renders images as the screen does, report/words/methods.py tells what was done;
        report/page.py makes one page of all that, report/archive.py packs it.
    a network to a file for other programs
        cli/export.py -> engine/export/export.py, which asks the program about images that the run was evaluated on
        (engine/export/checked_images.py, engine/inference/predict.py). engine/export/graph.py puts brightness, size
        (engine/export/resampling.py) and softmax around the network, engine/export/tracing.py makes a program of
        that, and engine/export/onnx_file.py or engine/export/torch_program.py a file; timm gets the weights as they
        are (engine/export/timm_folder.py). The file is asked about the same images (engine/export/comparison.py);
        engine/export/readme.py writes the model card, and only then the folder gets its name.
    a review
        tui/review/chooser.py asks what to review; tui/review/finder.py finds what is doubtful in the thread of the
        live suggestions (active/label_issues.py, active/duplicates.py, active/unfamiliar.py). A queue is a filter
        with an order of its own (tui/review/queue.py), which also says what may be seen of an image: in an audit
        (tui/review/audit.py) nothing. What was kept and answered is in dataset/store/review/; tui/review/progress.py
        makes figures of it.
    several GPUs
        `work_on_devices` of engine/parallel/devices.py finds out whether a job has several devices
        (config/devices.py), or was started several times by torchrun or srun (runs/machine/given_rank.py,
        engine/parallel/joining.py). engine/parallel/launching.py starts engine/parallel/rank.py once for each, by
        torch's elastic agent, and passes on what comes back (engine/parallel/channel.py). All do the work of the job,
        the first one writes. What they agree on is in engine/parallel/ranks.py, their step in
        engine/parallel/learner.py; batches are shared out by engine/data/feed.py, images of predictions by
        engine/parallel/prediction.py.
    features of all images
        `create_features` or `start_features` of runs/features/create.py -> worker.py -> engine/jobs/features.py lists
        the images, asks features/table.py which have none, copies those of known content
        (features/known_content.py), and gives the others to engine/inference/features.py, whose network pools its
        stages (engine/inference/stages.py). features/writer.py adds the rows; whoever has the table open sees them
        at its next `refresh`. What files there are is in features/layout.py; features/room.py removes old ones,
        features/export.py writes one for other programs.
    stop, kill, resume
        runs/worker/control.py leaves a file, which is all that reaches another computer, and signals
        (runs/worker/signals.py); the worker asks after each step
        and saves weights, optimizer, place and sums (engine/training/checkpoint.py). A killed worker loses its lock
        (runs/worker/liveness.py), so others see it is gone. `resume_run` of runs/list/lifecycle.py starts a worker
        on the same folder, which goes on from the last checkpoint, with the input map of then
        (engine/training/input_map.py) and its own samples: runs/list/moved_dataset.py finds files that were moved,
        and dataset/images/reading.py counts frames as they were counted when the job was made (its `numbering`).
    a training that is repeated
        engine/training/fingerprint.py keeps what the files held (runs/record/fingerprint.py). `train --rerun` makes a
        new job of the run's own samples (runs/rerun/preparing.py), names what differs in files and machine
        (runs/rerun/machine.py), and compares weights and figures at the end (runs/rerun/outcome.py).
    a disk that fills up
        a label is not applied: dataset/store/errors.py makes a sentence of what SQLite says, and the image stays. A
        run writes its files beside the old ones first (files.py, runs/disk.py), so these are never torn; it ends as
        failed with the sentence of disk_errors.py, and can be resumed from the checkpoint before. Events wait for
        room (runs/record/log.py), which also ends a torn line of events.jsonl before it writes the next one.
    counts of wells, slides or patients
        cli/counts/counting.py, or tui/counts/reading.py in the app, has the images and their labels;
        runs/counts/images.py adds predictions and groups (dataset/path_groups.py), runs/counts/confusions.py finds
        labelled images that tell what the network confuses. runs/counts/table.py makes the table of them
        (analysis/counts.py: shares, correction; analysis/enrichment.py), runs/counts/csv_file.py writes it.
    several people at work
        tui/controller/news.py asks each second what others wrote; tui/controller/leases.py leases images ahead
        (dataset/store/review/leases.py) once there is somebody else, and tells dataset/session/session.py which ones
        to pass over. In a second pass and among disputes, `assign` of tui/controller/label_controller.py writes
        opinions and decisions (dataset/store/review/opinions.py); dataset/session/people.py says what may be seen.
        Who said what is dataset/store/review/ratings.py, from which active/agreement.py computes kappa.
        The labels.db of a copy is read by dataset/interchange/copies/reading.py, compared and merged by
        dataset/interchange/copies/merging.py and dataset/store/review/merging.py.
    an evaluation to its figures
        `choose_evaluation_set` of runs/evaluation/evaluation_set.py matches classes and leaves out what was trained
        on; `create_evaluation` of runs/evaluation/create.py -> worker.py -> engine/jobs/evaluate.py keeps what the
        network says of each image (runs/evaluation/saved_scores.py). `load_results` of runs/evaluation/results.py
        reads it, with groups; analysis/metrics.py computes metrics and intervals from counts of classes in groups
        (analysis/resampling.py), cli/results/showing.py prints and writes them, for two runs on the images of
        runs/evaluation/pairs.py.
    labels that look wrong, and an audit
        cli/live/learned.py joins images, labels and features (features/table.py; what is missing is made by
        engine/jobs/features.py) to a `Suggester` (active/suggester.py). active/label_issues.py ranks labels by
        scores of heads that did not learn from them (active/head.py), nor from images that belong to the same slide
        or file (active/groups.py); what a person kept is left out
        (dataset/store/review/edits.py). active/audit.py draws images and makes intervals of their answers, which
        dataset/store/review/edits.py keeps with the labels; active/outlook.py says what more labels would bring.
    files that were renamed
        dataset/scan/incremental.py lists what is there; dataset/store/file_changes.py pairs missing files with new
        ones of equal size and content (dataset/hashes.py) and moves their labels, which can be undone; in the app
        tui/label/dataset_sync.py asks for that, elsewhere `relink_labels` of dataset/dataset.py. Samples of old runs
        follow by runs/list/moved_dataset.py. Frames of stacks that are counted otherwise by now:
        dataset/store/frame_numbers.py. A renamed dataset: runs/list/orphaned_state.py.
"""

TYPE_CHECKING = False  # as in typing, whose import takes longer than all the rest
if TYPE_CHECKING:
    from mia_tui.classifier import Classifier as Classifier
    from mia_tui.dataset.images.reading import read_image as read_image

__version__ = "0.1.0"
__all__ = ["Classifier", "read_image"]


def __getattr__(name: str) -> object:
    """What is for Python is imported when it is asked for: every command imports this module."""
    if name == "read_image":
        from mia_tui.dataset.images.reading import read_image

        return read_image
    if name == "Classifier":
        from mia_tui.classifier import Classifier

        return Classifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
