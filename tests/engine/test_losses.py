"""Losses against a reference table (computed apart, in float64) and against what must hold for all."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from mia_tui.catalog.losses import LOSSES
from mia_tui.config.train import TrainConfig
from mia_tui.engine.training.losses import formula, loss_terms

Z = torch.tensor([[2.0, 1, 0], [0, 0, 0], [-1, 3, 0.5]], dtype=torch.float64)
T = torch.tensor([0, 2, 2])
Q = torch.tensor([[0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3], [0, 0.25, 0.75]], dtype=torch.float64)
W = torch.tensor([1.0, 2, 0.5], dtype=torch.float64)

REFERENCE = [
    # targets, loss: mean, weighted, smoothed, both
    (T, "cross_entropy", 1.367297528, 1.127374637, 1.389519750, 1.158679914),
    (T, "focal", 0.918938778, 0.700623533, 0.943613537, 0.732782838),
    (T, "kl", 1.367297528, 1.127374637, 1.098379911, 0.913793305),
    (Q, "cross_entropy", 1.292297528, 1.025068272, 1.322019750, 1.057066277),
    (Q, "focal", 0.849181842, 0.581657786, 0.880832295, 0.616034983),
    (Q, "kl", 0.471375532, 0.388183492, 0.433391452, 0.365387508),
]


def terms(
    name: str,
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    config = TrainConfig(loss=name, focal_gamma=gamma, label_smoothing=label_smoothing)
    return loss_terms(config, logits, targets, class_weights=class_weights)


def weighted_mean(numerators: torch.Tensor, denominators: torch.Tensor) -> torch.Tensor:
    """The loss of a batch; 0 where every image has a class of weight 0."""
    total = denominators.sum()
    return numerators.sum() / total.clamp_min(torch.finfo(total.dtype).tiny)


def loss(name: str, logits: torch.Tensor, targets: torch.Tensor, **options: object) -> torch.Tensor:
    return weighted_mean(*terms(name, logits, targets, **options))  # type: ignore[arg-type]


cross_entropy, focal_loss, kl_divergence = (partial(loss, name) for name in ("cross_entropy", "focal", "kl"))


def random_batch(
    seed: int, count: int = 6, classes: int = 4
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, class ids and target probabilities."""
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(count, classes, generator=random, dtype=torch.float64)
    ids = torch.randint(classes, (count,), generator=random)
    soft = torch.randn(count, classes, generator=random, dtype=torch.float64).softmax(1)
    return logits.requires_grad_(), ids, soft


@pytest.mark.parametrize(("targets", "name", "plain", "weighted", "smooth", "both"), REFERENCE)
def test_every_loss_equals_the_reference_table(
    targets: torch.Tensor, name: str, plain: float, weighted: float, smooth: float, both: float
) -> None:
    assert loss(name, Z, targets).item() == pytest.approx(plain, abs=2e-9)
    assert loss(name, Z, targets, class_weights=W).item() == pytest.approx(weighted, abs=2e-9)
    assert loss(name, Z, targets, label_smoothing=0.1).item() == pytest.approx(smooth, abs=2e-9)
    assert loss(name, Z, targets, label_smoothing=0.1, class_weights=W).item() == pytest.approx(
        both, abs=2e-9
    )


@pytest.mark.parametrize(("gamma", "mean"), [(0.5, 1.209944221), (1.0, 1.090302177), (5.0, 0.635996682)])
def test_focal_loss_equals_the_reference_at_other_gammas(gamma: float, mean: float) -> None:
    assert focal_loss(Z, T, gamma=gamma).item() == pytest.approx(mean, abs=2e-9)


def test_cross_entropy_equals_that_of_torch_for_ids_with_and_without_weights() -> None:
    logits, ids, soft = random_batch(0)
    w = torch.tensor([0.2, 1.0, 3.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(cross_entropy(logits, ids), F.cross_entropy(logits, ids))
    torch.testing.assert_close(cross_entropy(logits, soft), F.cross_entropy(logits, soft))
    torch.testing.assert_close(
        cross_entropy(logits, ids, class_weights=w), F.cross_entropy(logits, ids, weight=w)
    )
    torch.testing.assert_close(
        cross_entropy(logits, ids, label_smoothing=0.2), F.cross_entropy(logits, ids, label_smoothing=0.2)
    )


@pytest.mark.parametrize("soft", [False, True])
def test_focal_loss_at_gamma_0_is_cross_entropy_values_and_gradients(soft: bool) -> None:
    logits, ids, probabilities = random_batch(1)
    targets = probabilities if soft else ids
    focal, plain = focal_loss(logits, targets, gamma=0.0), cross_entropy(logits, targets)
    torch.testing.assert_close(focal, plain)
    torch.testing.assert_close(torch.autograd.grad(focal, logits)[0], torch.autograd.grad(plain, logits)[0])


@pytest.mark.parametrize("weights", [None, W.new_tensor([1, 2, 0.5, 4])])
def test_kl_of_one_hot_targets_is_cross_entropy(weights: torch.Tensor | None) -> None:
    logits, ids, _ = random_batch(2)
    one_hot = F.one_hot(ids, 4).double()
    torch.testing.assert_close(
        kl_divergence(logits, one_hot, class_weights=weights),
        cross_entropy(logits, ids, class_weights=weights),
    )


def test_kl_of_equal_distributions_is_0_and_so_is_its_gradient() -> None:
    logits, _, _ = random_batch(3)
    value = kl_divergence(logits, logits.detach().softmax(1))
    assert value.item() == pytest.approx(0, abs=1e-14)
    assert torch.autograd.grad(value, logits)[0].abs().max() < 1e-14


def test_kl_has_the_gradient_of_cross_entropy_and_is_smaller_by_the_entropy_of_the_targets() -> None:
    logits, _, soft = random_batch(4)
    entropy = -(soft * soft.log()).sum(1).mean()
    kl, plain = kl_divergence(logits, soft), cross_entropy(logits, soft)
    torch.testing.assert_close(kl, plain - entropy)
    torch.testing.assert_close(torch.autograd.grad(kl, logits)[0], torch.autograd.grad(plain, logits)[0])


def test_kl_counts_negatives_with_two_classes_and_is_never_below_0() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.5]])
    assert kl_divergence(logits, torch.tensor([1, 0])).item() > 3 * 0.5
    for seed in range(20):
        z, _, p = random_batch(seed)
        assert kl_divergence(z, p, class_weights=torch.tensor([5.0, 0.1, 1, 2]), label_smoothing=0.1) >= 0


def test_two_logits_are_as_good_as_one_sigmoid() -> None:
    score = torch.tensor([-3.0, 0.2, 4.0], dtype=torch.float64)
    ids = torch.tensor([1, 0, 1])
    two = torch.stack([torch.zeros_like(score), score], dim=1)
    torch.testing.assert_close(
        cross_entropy(two, ids), F.binary_cross_entropy_with_logits(score, ids.double())
    )


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weights", [None, W.new_tensor([1, 2, 0.5, 4])])
def test_gradients_are_right_and_sum_to_0_over_the_classes(name: str, weights: torch.Tensor | None) -> None:
    logits, ids, soft = random_batch(5)
    for targets in (ids, soft):
        assert torch.autograd.gradcheck(lambda z, t=targets: loss(name, z, t, class_weights=weights), logits)
        gradient = torch.autograd.grad(loss(name, logits, targets, class_weights=weights), logits)[0]
        assert gradient.sum(1).abs().max() < 1e-12


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_give_finite_losses_and_gradients(name: str) -> None:
    logits = torch.tensor([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 1000.0]], requires_grad=True)
    for gamma in (0.0, 0.5, 2.0):
        value = loss(name, logits, torch.tensor([0, 0]), gamma=gamma)
        assert value.isfinite()
        assert torch.autograd.grad(value, logits)[0].isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_logits_are_computed_in_float32_even_under_autocast(name: str) -> None:
    logits = Z.to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values, shares = terms(name, logits, T, class_weights=W.float(), label_smoothing=0.1)
    assert values.dtype == shares.dtype == torch.float32
    exact = loss(name, logits.double(), T, class_weights=W, label_smoothing=0.1)
    assert weighted_mean(values, shares).item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_parts_of_a_batch_add_up_to_the_batch(name: str) -> None:
    logits, ids, _ = random_batch(6)
    w = torch.tensor([0.2, 1.0, 3.0, 0.5], dtype=torch.float64)
    parts = [terms(name, logits[s], ids[s], class_weights=w) for s in (slice(0, 2), slice(2, 6))]
    joined = sum(n.sum() for n, _ in parts) / sum(d.sum() for _, d in parts)
    torch.testing.assert_close(joined, loss(name, logits, ids, class_weights=w))


def test_a_batch_of_classes_that_weigh_0_has_loss_0_and_not_nan() -> None:
    logits = Z.clone().requires_grad_()
    value = cross_entropy(logits, torch.tensor([1, 1, 1]), class_weights=torch.tensor([1.0, 0.0, 1.0]))
    assert value.item() == 0
    assert torch.autograd.grad(value, logits)[0].abs().max() == 0


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="targets"):
        cross_entropy(Z, torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match="class weights"):
        cross_entropy(Z, T, class_weights=torch.ones(2))
    with pytest.raises(ValueError, match="no loss"):
        loss("hinge", Z, T)


def test_a_formula_without_a_name_in_the_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="has no loss 'hinge'"):
        formula("hinge")
