"""Which network's features the live suggestions are learned from, and why: in the words of the app."""

from dataclasses import dataclass

from mia_tui.text import counted, printable

SHIPPED_WORDS = "the network that comes with the program"


@dataclass(frozen=True)
class NetworkComparison:
    """How many suggestions of two networks are right, on the images that a run was validated on.

    Attributes:
        run: What people call the run.
        network_id: Of its network, as `FeatureNetwork` has it.
        images: How many images were compared: of its validation part, labelled, with features by both networks.
        right: The share that is right with the features of the run's network.
        shipped_right: The share with those of the network that comes with the program.
        why_not: Why they were not compared, as a clause; empty if they were.
    """

    run: str
    network_id: str
    images: int = 0
    right: float = 0.0
    shipped_right: float = 0.0
    why_not: str = ""

    @property
    def is_better(self) -> bool:
        """Whether the run's network is better."""
        return not self.why_not and self.right > self.shipped_right


@dataclass(frozen=True)
class NetworkInUse:
    """The network whose features are learned from, and why it is that one.

    Attributes:
        network_id: As `FeatureNetwork` has it; empty for the one that comes with the program.
        run: What people call the run that trained it; empty for the one that comes with the program.
        weights: The weights file of that run; empty likewise.
        comparison: With the other network; None if there is no other.
        is_chosen: Whether the person chose it.
    """

    network_id: str = ""
    run: str = ""
    weights: str = ""
    comparison: NetworkComparison | None = None
    is_chosen: bool = False

    @property
    def waits(self) -> bool:
        """Whether there is another network, which is still to be compared."""
        return self.comparison is not None and bool(self.comparison.why_not)

    @property
    def sentence(self) -> str:
        """Which network it is, and why."""
        own = f"run {printable(self.run)}" if self.run else SHIPPED_WORDS
        chosen = "You chose it. " if self.is_chosen else ""
        other = self.comparison
        if other is None:
            return f"Suggestions from {own}. {chosen}".rstrip()
        run = printable(other.run)
        if other.why_not:
            return f"Suggestions from {own}. {chosen}Run {run} was not compared: {other.why_not}."
        images = counted(other.images, "validation image")
        if self.run:
            right = (
                f"{other.right:.2f} right on its {images}, {other.shipped_right:.2f} from {SHIPPED_WORDS}."
            )
        else:
            right = f"{other.shipped_right:.2f} right on the {images} of run {run}, {other.right:.2f} from that run."
        return f"Suggestions from {own}: {right} {chosen}".rstrip()


SHIPPED_IN_USE = NetworkInUse()
