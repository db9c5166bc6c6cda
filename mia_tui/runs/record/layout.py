"""The folder of a run: what is where, and how it is created and read.

    20261123-1432-resnet50v2/
        job.json            what to do; written last, so a folder without it is not a run (yet); never changes
        start.json          the run it waits for, its threads, devices and dataset's folder, if changed since
        notes.json          the title, tags and note that a person gave it
        samples.jsonl       the labelled images of a training or evaluation, as they were at the start
        images.jsonl        the images of a prediction, if not all of the dataset
        input.json          how the values of a training's files become brightness; none in runs of earlier versions
        trials.jsonl        the trials of a training, and the settings chosen by them, see `trials`
        fingerprint.jsonl   what the files of a training's images held, see `fingerprint`
        worker.json         the process that works on it, with a heartbeat
        worker.lock         locked while the worker is alive
        stop                exists if somebody asked it to stop
        events.jsonl        what happened
        worker.log          output and tracebacks of a detached worker
        confusion/          last.json, best.json, evaluation.json; of each .predicted.json, but for last .scores.npz
        predictions/        listing.jsonl and rows.jsonl while it grows; suggestions.jsonl, probabilities.jsonl
        checkpoints/        last.pt, best.safetensors, model.json; best.decision.json, see `decision`

How records become the bytes of these files is in `encoding`.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import msgspec

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.features import FeaturesConfig
from mia_tui.config.jobs import JobConfig
from mia_tui.config.predict import PredictConfig
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.model import ImageKey
from mia_tui.decoding import BadRecord, check
from mia_tui.errors import ConfigError, RunError
from mia_tui.files import open_to_read, read, remove
from mia_tui.paths import RUNS_FOLDER, StateFolder
from mia_tui.runs.disk import make_folder, write_atomically
from mia_tui.runs.record.encoding import (
    Record,
    add_intensity,
    decode_images,
    decode_record,
    decode_sample,
    decode_samples,
    decode_values,
    encode_images,
    encode_job,
    encode_record,
    encode_samples,
)
from mia_tui.runs.record.job import (
    AnyJob,
    EvaluateJob,
    FeaturesJob,
    Job,
    PredictJob,
    RunNotes,
    Sample,
    StartSettings,
    TrainJob,
    job_type,
)
from mia_tui.runs.record.new_folder import new_folder
from mia_tui.runs.record.trials import TRIALS, with_choice
from mia_tui.text import printable

_JOB, _SAMPLES, _IMAGES = "job.json", "samples.jsonl", "images.jsonl"
_START, _NOTES, _INPUT = "start.json", "notes.json", "input.json"
_MOST_BYTES = dict.fromkeys((_START, _NOTES, _INPUT), 1 << 20)
_MOST_BYTES |= {_JOB: 1 << 25, _SAMPLES: 1 << 31, _IMAGES: 1 << 31}  # 100,000 classes, 20 million images
_LONGEST_LINE_BYTES = 1 << 20

OfKind = TypeVar("OfKind", bound=JobConfig)


@dataclass(frozen=True)
class RunDir:
    """A run by its folder. Making the object touches no disk; `open` and `create` do."""

    path: Path

    @classmethod
    def create(
        cls,
        state: StateFolder,
        job: AnyJob,
        samples: Sequence[Sample] | None = None,
        *,
        name: str,
        images: Sequence[ImageKey] | None = None,
    ) -> "RunDir":
        """Make the folder of a new run and write its job.

        Args:
            state: Where the dataset's runs are; made if it does not exist.
            job: What to do; its `created_at` gives the folder its date.
            samples: The labelled images, if it has any; a snapshot, labelling may continue.
            name: Last part of the folder's name, mostly the backbone.
            images: The images of a prediction, if not all of the dataset.

        Raises:
            ConfigError: If nothing can be written there; names --state.
        """
        try:
            make_folder(state.runs, root=state.root, parents=True)
            run = cls(new_folder(state.runs, job.created_at, name))
            try:
                if samples is not None:
                    write_atomically(run.path / _SAMPLES, b"".join(encode_samples(samples)), root=run.root)
                if images is not None:
                    write_atomically(run.path / _IMAGES, b"".join(encode_images(images)), root=run.root)
                write_atomically(run.path / _JOB, encode_job(job), root=run.root)
            except RunError:
                run.drop()
                raise
        except RunError as error:
            raise ConfigError(error.message, error.hint) from error
        return run

    @classmethod
    def open(cls, path: Path) -> "RunDir":
        """The run in a folder that is there.

        Raises:
            RunError: If the folder is missing or holds no run.
        """
        run = cls(path)
        if not run.exists():
            what = "is not a run: it holds no job.json" if path.is_dir() else "is not a folder"
            raise RunError(
                f"{printable(path)} {what}.", "`mia-tui runs list DATASET` lists the runs of a dataset."
            )
        return run

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def root(self) -> Path:
        """Below this folder no link is followed, see `files`: the state folder, or where the run was copied to."""
        above = self.path.parent
        return above.parent if above.name == RUNS_FOLDER else above

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def fingerprint(self) -> Path:
        return self.path / "fingerprint.jsonl"

    @property
    def worker_log(self) -> Path:
        return self.path / "worker.log"

    @property
    def worker_json(self) -> Path:
        return self.path / "worker.json"

    @property
    def worker_lock(self) -> Path:
        return self.path / "worker.lock"

    @property
    def stop(self) -> Path:
        return self.path / "stop"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """Everything that is needed to resume."""
        return self.checkpoints / "last.pt"

    @property
    def best_weights(self) -> Path:
        """The weights of the best epoch, with what prediction needs in their metadata."""
        return self.checkpoints / "best.safetensors"

    @property
    def model_json(self) -> Path:
        return self.checkpoints / "model.json"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions"

    @property
    def suggestions(self) -> Path:
        """What the network of this run suggests for the dataset's images, see `runs.prediction.suggestions`."""
        return self.predictions / "suggestions.jsonl"

    @property
    def probabilities(self) -> Path:
        """The probabilities of all classes behind the suggestions, see `runs.prediction.probabilities`."""
        return self.predictions / "probabilities.jsonl"

    @property
    def rows(self) -> Path:
        """The rows of a prediction while it grows, see `runs.prediction.predictions`."""
        return self.predictions / "rows.jsonl"

    @property
    def listing(self) -> Path:
        """The images of a prediction while it grows, see `runs.prediction.listing`."""
        return self.predictions / "listing.jsonl"

    def confusion(self, which: Literal["last", "best", "evaluation"]) -> Path:
        """File of the confusion matrix of the last or the best epoch, or of an evaluation."""
        return self.path / "confusion" / f"{which}.json"

    def description_files(self) -> tuple[Path, ...]:
        """Files that say what the run is: its job, how it starts, its notes, its trials."""
        return tuple(self.path / name for name in (_JOB, _START, _NOTES, TRIALS))

    def worker_folders(self) -> tuple[Path, ...]:
        """Folders that only the run's worker writes into."""
        return self.confusion("best").parent, self.checkpoints

    def own_files(self) -> list[Path]:
        """Everything that this program writes into the folder; job.json first, without which it is not a run."""
        return [
            *(self.path / name for name in (_JOB, _SAMPLES, _IMAGES, _START, _NOTES, _INPUT, TRIALS)),
            self.fingerprint,
            self.events,
            self.worker_log,
            self.worker_json,
            self.worker_lock,
            self.stop,
            self.predictions,
            *self.worker_folders(),
        ]

    def drop(self) -> None:
        """Remove the folder and all that is in it, as far as possible."""
        with suppress(OSError):
            remove(self.path, root=self.root)

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / _JOB).is_file()

    def put_after(self, other: "RunDir | None") -> None:
        """Make the run's next worker wait for another run to end; None makes it begin at once.

        Raises:
            RunError: If the run cannot be read, or this not be written.
        """
        self._change_start(after=None if other is None else str(other.path.resolve()))

    def put_threads(self, threads: int) -> AnyJob:
        """Set the number of threads of the run's workers from now on; returns the changed job; errors as below."""
        return self._change_start(threads=threads)

    def put_devices(self, devices: str) -> None:
        """Set the devices of the run's workers from now on; errors as below."""
        self._change_start(devices=devices)

    def put_dataset(self, folder: Path) -> None:
        """Set the folder in which the run's workers look for its images from now on.

        Raises:
            RunError: If the run cannot be read, or this not be written.
        """
        self._change_start(moved_to=str(folder))

    def _change_start(self, **fields: Any) -> AnyJob:
        job = self.job()
        changed = msgspec.structs.replace(job, **fields)
        if changed != job:
            start = StartSettings(
                **{name: getattr(changed, name) for name in StartSettings.__struct_fields__}
            )
            write_atomically(self.path / _START, encode_record(start), root=self.root)
        return changed

    def notes(self) -> RunNotes:
        """What a person said of the run; of a damaged file, nothing."""
        return self._read_optional(_NOTES, RunNotes) or RunNotes()

    def put_notes(self, notes: RunNotes) -> None:
        """Replace what is said of the run.

        Raises:
            RunError: If it cannot be written.
        """
        write_atomically(self.path / _NOTES, encode_record(notes), root=self.root)

    def input_map(self) -> InputMap | None:
        """How the values of the files become brightness, as it was measured; None if it was not.

        Raises:
            RunError: If the file is damaged.
        """
        try:
            raw = read(self.path / _INPUT, root=self.root, most_bytes=_MOST_BYTES[_INPUT])
            return decode_record(raw, InputMap)
        except FileNotFoundError:
            return None
        except (OSError, BadRecord) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise RunError(
                f"{_INPUT} of the run {printable(self.name)} cannot be read: {printable(why)}.",
                "Start a new run; the best weights of this one may still be valid.",
            ) from error

    def put_input_map(self, measured: InputMap) -> None:
        """Keep what was measured: a resumed run sees its images as before.

        Raises:
            RunError: If it cannot be written.
        """
        write_atomically(self.path / _INPUT, encode_record(measured), root=self.root)

    def run_ahead(self, job: AnyJob) -> "RunDir | None":
        """The run that this one waits for; one of the same dataset is found beside it, even if both were moved."""
        if job.after is None:
            return None
        after = Path(job.after)
        is_beside = after.parent == StateFolder(Path(job.state)).runs
        return RunDir(self.path.resolve().parent / after.name if is_beside else after)

    def job(self) -> AnyJob:
        """The job of the run, as its next worker starts it; with the settings that its trials have chosen.

        Raises:
            RunError: If the folder holds no run, or one that this version cannot read.
        """
        job, start = self.written_job(), self._read_optional(_START, StartSettings)
        if start is not None:
            job = msgspec.structs.replace(job, **msgspec.structs.asdict(start))
        if not isinstance(job.config, TrainConfig):
            return job
        config = with_choice(job.config, self.path, root=self.root)
        return msgspec.structs.replace(job, config=config)

    def written_job(self) -> AnyJob:
        """The job of the run as it was made.

        Raises:
            RunError: As for `job`.
        """
        raw = self.job_bytes()
        try:
            values = decode_values(raw)
            kind = values.pop("kind", TrainConfig.kind)
            if kind == TrainConfig.kind:
                add_intensity(values)
            job: AnyJob = check(values, job_type(str(kind)))
            return job
        except BadRecord as error:
            raise RunError(
                f"This version of mia-tui cannot read {_JOB} of the run {printable(self.name)}: {error}.",
                "It was written by another version or is damaged; start a new run.",
            ) from error

    def train_job(self) -> TrainJob:
        """The job of a training.

        Raises:
            RunError: As for `job`, or if the run is no training.
        """
        return self._job_of(TrainConfig)

    def predict_job(self) -> PredictJob:
        """As `train_job`, of a prediction."""
        return self._job_of(PredictConfig)

    def evaluate_job(self) -> EvaluateJob:
        """As `train_job`, of an evaluation."""
        return self._job_of(EvaluateConfig)

    def features_job(self) -> FeaturesJob:
        """As `train_job`, of a job that makes features."""
        return self._job_of(FeaturesConfig)

    def _job_of(self, kind: type[OfKind]) -> Job[OfKind]:
        job = self.job()
        if not isinstance(job.config, kind):
            raise RunError(
                f"The run {printable(self.name)} is not a {kind.noun}, but of another kind: {job.config.noun}.",
                "`mia-tui runs list DATASET` says what each run is.",
            )
        return cast("Job[OfKind]", job)

    def images(self) -> list[ImageKey] | None:
        """The images that a prediction is of; None if they are all those of its dataset.

        Raises:
            RunError: If the file is missing or damaged.
        """
        if self.predict_job().config.images == "all":
            return None
        try:
            return decode_images(self._read(_IMAGES))
        except BadRecord as error:
            raise RunError(
                f"{_IMAGES} of the run {printable(self.name)} is damaged: {error}.", "Predict again."
            ) from error

    def job_bytes(self) -> bytes:
        """The bytes of job.json.

        Raises:
            RunError: If there is none, or it cannot be read.
        """
        return self._read(_JOB)

    def has_samples(self) -> bool:
        """Whether it is about labelled images, as trainings and evaluations are."""
        return (self.path / _SAMPLES).is_file()

    def sample_count(self) -> int:
        """How many images the run has, without reading them; 0 if it has no list of them.

        Raises:
            OSError: If the list cannot be read.
        """
        count = 0
        try:
            with open_to_read(self.path / _SAMPLES, root=self.root) as file:
                while chunk := file.read(1 << 20):
                    count += chunk.count(b"\n")
        except FileNotFoundError:
            return 0
        return count

    def samples(self) -> list[Sample]:
        """The images of the run, in their order.

        Raises:
            RunError: If the file is missing or damaged.
        """
        classes = len(self.job().classes)
        try:
            samples = decode_samples(self._read(_SAMPLES))
            if any(sample.class_index >= classes for sample in samples):
                raise BadRecord(f"an image has a class beyond the {classes} of the run")
            return samples
        except BadRecord as error:
            raise RunError(
                f"{_SAMPLES} of the run {printable(self.name)} is damaged: {error}.", "Start a new run."
            ) from error

    def some_samples(self, most: int) -> list[Sample]:
        """The first images of the run.

        Raises:
            RunError: If the file is missing or damaged.
        """
        try:
            with open_to_read(self.path / _SAMPLES, root=self.root) as file:
                lines = (file.readline(_LONGEST_LINE_BYTES) for _ in range(most))
                return [decode_sample(line) for line in takewhile(bool, lines)]
        except (OSError, BadRecord) as error:
            raise RunError(
                f"{_SAMPLES} of the run {printable(self.name)} cannot be read: {error}."
            ) from error

    def _read_optional(self, name: str, kind: type[Record]) -> Record | None:
        """A record that only some runs have; None also if it is damaged."""
        try:
            raw = read(self.path / name, root=self.root, most_bytes=_MOST_BYTES[name])
            return decode_record(raw, kind)
        except (OSError, BadRecord):
            return None

    def _read(self, name: str) -> bytes:
        try:
            return read(self.path / name, root=self.root, most_bytes=_MOST_BYTES[name])
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(
                f"{printable(self.path)} is not a run: it holds no {name}.",
                "`mia-tui runs list DATASET` lists the runs of a dataset.",
            ) from None
        except OSError as error:
            raise unreadable(self.path / name, error) from error


def unreadable(path: Path, error: OSError) -> RunError:
    """The error for a file of a run that exists and cannot be read."""
    return RunError(f"{printable(path)} cannot be read: {error.strerror}.")
