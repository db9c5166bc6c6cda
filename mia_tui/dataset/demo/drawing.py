"""A field of a blood smear under a microscope, rendered: shapes, stains, camera.

Stains absorb light, so an image is made as a microscope makes it: optical densities of all that lies in the
beam add up (Beer-Lambert), then come blur, uneven light and the noise of a camera.
"""

import numpy as np
from PIL import Image, ImageFilter

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

FIELD_UM = 21.0  # width of an image in micrometres; a red cell is 7.5 across


def density_of(red: int, green: int, blue: int) -> Array:
    """Optical density that turns white light into this colour."""
    return np.asarray(-np.log(np.array([red, green, blue]) / 255.0), dtype=np.float32)


class SmearDrawing:
    """A square field of a slide; lengths in micrometres, (0, 0) in its middle."""

    def __init__(self, side_px: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.um_per_px = FIELD_UM / side_px
        axis = ((np.arange(side_px) + 0.5) * self.um_per_px - FIELD_UM / 2).astype(np.float32)
        self.y, self.x = np.meshgrid(axis, axis, indexing="ij")  # (side, side)
        self.density = np.zeros((side_px, side_px, 3), np.float32)
        self._stain = rng.normal(1.0, 0.14) * rng.normal(1.0, 0.06, size=3).astype(np.float32)

    def blob(
        self,
        x: float,
        y: float,
        radius: float,
        *,
        uneven: float = 0.05,
        stretch: float = 1.0,
        soft: float = 0.18,
    ) -> Array:
        """Mask, 0 to 1, of a roundish outline.

        Args:
            x: Place of its middle.
            y: Place of its middle.
            radius: Mean radius.
            uneven: Deviation of the outline from an ellipse, as a share of the radius.
            stretch: Length against width, in a direction drawn at random.
            soft: Width of the edge.
        """
        turn = self.rng.uniform(0, np.pi)
        waves = np.arange(2, 6)
        heights = self.rng.normal(0, uneven * radius / waves**0.5).tolist()
        phases = self.rng.uniform(0, 2 * np.pi, len(waves)).tolist()
        mask = np.zeros_like(self.x)
        # Only there, and a tenth of the time: an outline never reaches far beyond its radius.
        window = self._window(x, y, 1.2 * (radius + sum(map(abs, heights))) * stretch**0.5 + 2 * soft)
        dx, dy = self.x[window] - x, self.y[window] - y
        along = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch**0.5
        across = (dy * np.cos(turn) - dx * np.sin(turn)) * stretch**0.5
        angle = np.arctan2(across, along)
        outline = radius + sum(
            h * np.cos(w * angle + p) for h, w, p in zip(heights, waves.tolist(), phases, strict=True)
        )
        mask[window] = edge((outline - np.hypot(along, across)) / soft)
        return mask

    def _window(self, x: float, y: float, reach: float) -> tuple[slice, slice]:
        """Rows and columns of a square around a place."""
        side = len(self.x)
        ends = [
            (
                int((place - reach + FIELD_UM / 2) / self.um_per_px),
                int((place + reach + FIELD_UM / 2) / self.um_per_px),
            )
            for place in (y, x)
        ]
        rows, columns = (slice(max(0, low), min(side, max(0, high + 1))) for low, high in ends)
        return rows, columns

    def texture(self, grain_um: float) -> Array:
        """Smooth noise of mean 0 and deviation 1 whose spots are about so large."""
        side = len(self.x)
        cells = max(2, round(FIELD_UM / grain_um))
        coarse = Image.fromarray(self.rng.normal(0, 1, (cells, cells)).astype(np.float32))
        noise = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
        return np.asarray((noise - noise.mean()) / (noise.std() + 1e-6), dtype=np.float32)

    def dots(self, inside: Array, count: int, radius: float) -> Array:
        """Mask of so many granules within a mask."""
        chance = (inside > 0.6).ravel()
        if not chance.any() or count < 1:
            return np.zeros_like(inside)
        places = self.rng.choice(np.flatnonzero(chance), size=count)
        dots = np.zeros_like(inside)
        for place in places:
            row, column = divmod(int(place), len(self.x))
            x, y = self.x[row, column], self.y[row, column]
            window = self._window(float(x), float(y), 2.2 * radius)
            distance = np.hypot(self.x[window] - x, self.y[window] - y)
            size = radius * self.rng.uniform(0.7, 1.25)
            np.maximum(dots[window], edge((size - distance) / 0.07), out=dots[window])
        return dots

    def stain(self, mask: Array, density: Array, strength: float | Array = 1.0) -> None:
        """Add what a mask absorbs."""
        self.density += (mask * strength)[..., None] * (density * self._stain)

    def cover(self, mask: Array, share: float = 0.9) -> None:
        """Push aside what lies where a cell is: cells lie beside each other more than on top."""
        self.density *= 1 - share * mask[..., None]

    def photograph(self, size_px: int) -> Image.Image:
        """The scene as a camera sees it."""
        rng = self.rng
        glass = np.array([244, 240, 238], np.float32) + rng.normal(0, 3, 3)
        slope = rng.normal(0, 0.035, 2)
        light = 1 + (slope[0] * self.x + slope[1] * self.y) / (FIELD_UM / 2)
        light = light * rng.normal(1, 0.03)
        pixels = glass * np.exp(-self.density) * light[..., None]
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        focus = abs(rng.normal(0, 0.11)) / self.um_per_px
        image = image.filter(ImageFilter.GaussianBlur(focus)).resize((size_px, size_px), Image.Resampling.BOX)
        noisy = np.asarray(image, np.float32) + rng.normal(0, rng.uniform(2.5, 6.5), (size_px, size_px, 3))
        return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def edge(value: Array) -> Array:
    """Step from 0 to 1 with a soft edge."""
    return np.asarray(1 / (1 + np.exp(np.clip(-4 * value, -30, 30))), dtype=np.float32)
