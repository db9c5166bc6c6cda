import torch

from mia_tui.engine.data.feed import batches, epoch_order


def test_an_epoch_goes_through_every_image_once() -> None:
    for count in (0, 1, 2, 1000):
        assert epoch_order(count, seed=0, epoch=0).sort().values.tolist() == list(range(count))


def test_an_order_can_be_made_again_and_changes_with_seed_and_epoch() -> None:
    order = epoch_order(100, seed=1, epoch=2)
    assert torch.equal(order, epoch_order(100, seed=1, epoch=2))
    assert not torch.equal(order, epoch_order(100, seed=1, epoch=3))
    assert not torch.equal(order, epoch_order(100, seed=2, epoch=2))


def test_an_order_does_not_move_torchs_own_generator() -> None:
    before = torch.get_rng_state()
    epoch_order(100, seed=1, epoch=2)
    assert torch.equal(before, torch.get_rng_state())


def test_a_seed_always_means_the_same_order() -> None:
    assert epoch_order(8, seed=0, epoch=0).tolist() == [0, 3, 4, 6, 2, 1, 5, 7]


def test_every_image_comes_first_equally_often() -> None:
    firsts = torch.stack([epoch_order(10, seed=0, epoch=epoch)[0] for epoch in range(3000)])
    counts = torch.bincount(firsts, minlength=10)
    assert counts.min() > 230 and counts.max() < 370  # 300 expected, deviation 16


def test_batches_hold_the_order_and_the_last_one_the_rest() -> None:
    order = torch.tensor([4, 2, 0, 3, 1])
    assert [batch.tolist() for batch in batches(order, 3)] == [[4, 2, 0], [3, 1]]
    assert [batch.tolist() for batch in batches(order, 10)] == [[4, 2, 0, 3, 1]]
    assert batches(order[:0], 3) == []


def test_a_last_batch_of_one_image_is_dropped_in_training_only() -> None:
    order = torch.tensor([4, 2, 0, 3])
    assert [batch.tolist() for batch in batches(order, 3)] == [[4, 2, 0]]
    assert [batch.tolist() for batch in batches(order, 3, keep_single=True)] == [[4, 2, 0], [3]]
    assert [batch.tolist() for batch in batches(order, 1)] == [[4], [2], [0], [3]]
    assert batches(order[:1], 3) == []
