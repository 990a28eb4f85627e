"""Which cells learn which box, and that what they learn is right."""

import numpy as np
import pytest
import tensorflow as tf

from edgevit.training.box_examples import DOES_NOT_COUNT, NO_BOX
from edgevit.training.box_loss import assigned, cells_of, detection_loss, generalised_overlap
from edgevit_runtime.tasks.box_decoding import decode_boxes, grids_of

STRIDES = (8, 16, 32)
BOXES = [(10.0, 12.0, 42.0, 52.0, 0.0), (60.0, 8.0, 124.0, 72.0, 1.0), (70.0, 76.0, 78.0, 83.0, 1.0)]


def targets(*rows):
    return tf.constant([rows], tf.float32)


@pytest.mark.parametrize("size", [(96, 128), (80, 112), (48, 48)])
def test_cells_are_those_that_are_decoded(size):
    middles, stride = cells_of(size, STRIDES)
    expected = [
        ((column + 0.5) * grid.stride, (row + 0.5) * grid.stride, grid.stride)
        for grid in grids_of(f"{size[1]}x{size[0]}", STRIDES)
        for row in range(grid.rows)
        for column in range(grid.columns)
    ]
    np.testing.assert_allclose(np.column_stack([middles, stride]), expected)


def test_generalised_overlap():
    one = tf.constant([(0.0, 0.0, 2.0, 2.0), (0.0, 0.0, 1.0, 1.0)])
    other = tf.constant([(1.0, 0.0, 3.0, 2.0), (2.0, 0.0, 3.0, 1.0)])
    # Half of each in common: 2 / 6, and the box around both holds nothing else; apart: 0 - (3 - 2) / 3.
    np.testing.assert_allclose(generalised_overlap(one, other), [1 / 3, -1 / 3], rtol=1e-6)


def learned(rows, steps=150):
    """What raw outputs become by gradient descent on the loss: distances and logits of one picture of 128 x 96."""
    count = sum(grid.columns * grid.rows for grid in grids_of("128x96", STRIDES))
    distances, logits = tf.Variable(tf.zeros([1, count, 4])), tf.Variable(tf.fill([1, count, 2], -4.6))
    optimizer, wanted = tf.keras.optimizers.Adam(0.1), targets(*rows)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            found = {"log_distances": distances, "cell_logits": logits}
            loss = detection_loss(wanted, found, (96, 128), STRIDES)
        optimizer.apply_gradients(zip(tape.gradient(loss, [distances, logits]), [distances, logits], strict=True))
        return loss

    losses = [float(step()) for _ in range(steps)]
    return losses, distances.numpy()[0], logits.numpy()[0]


def test_what_is_learned_is_decoded_as_the_boxes():
    losses, distances, logits = learned([*BOXES, (NO_BOX,) * 5])
    assert losses[-1] < 0.2 * losses[0]
    found = decode_boxes(distances, logits, "128x96", least_score=0.5, most_overlap=0.5)
    order = np.argsort(found.boxes[:, 0])
    np.testing.assert_allclose(found.boxes[order], [each[:4] for each in BOXES], atol=1.5)
    assert found.classes[order].tolist() == [0, 1, 1]


def test_nothing_is_learned_in_a_box_that_does_not_count():
    ignored = (60.0, 8.0, 124.0, 72.0, DOES_NOT_COUNT)
    _, _, logits = learned([BOXES[0], ignored], steps=40)
    middles, _ = cells_of((96, 128), STRIDES)
    inside = ((middles > (60.0, 8.0)) & (middles < (124.0, 72.0))).numpy().all(axis=1)
    assert np.abs(logits[inside] + 4.6).max() == 0.0
    assert (logits[~inside] != np.float32(-4.6)).mean() > 0.9


def test_a_picture_without_boxes_teaches_that_there_are_none():
    losses, _, logits = learned([(NO_BOX,) * 5], steps=40)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert logits.max() < -4.6


def test_each_cell_learns_one_box_and_each_box_has_cells():
    middles, stride = cells_of((96, 128), STRIDES)
    boxes = tf.concat([middles - stride[:, None], middles + stride[:, None]], axis=1)[None]
    scores = tf.random.stateless_uniform([1, len(middles), 2], (1, 2), 0.01, 0.02)  # of equal ones all are taken
    wanted = targets(*BOXES)
    quality, chosen, ignored = assigned(
        wanted[..., :4], tf.cast(wanted[..., 4], tf.int32), boxes, scores, middles, stride
    )
    quality, chosen = quality.numpy()[0], chosen.numpy()[0]
    assert not ignored.numpy().any()
    for index in range(len(BOXES)):
        mine = (chosen == index) & (quality > 0.0)
        assert 1 <= mine.sum() <= 10
        best = middles.numpy()[mine][quality[mine].argmax()]
        left, top, right, bottom, _ = BOXES[index]
        assert left - 6 <= best[0] <= right + 6
        assert top - 6 <= best[1] <= bottom + 6


@pytest.mark.parametrize(
    ("width", "height", "level"),
    [
        (9, 9, 8),
        (32, 32, 8),
        (44, 44, 8),
        (92, 20, 8),
        (47, 47, 16),
        (64, 64, 16),
        (30, 130, 16),
        (95, 95, 32),
        (120, 90, 32),
    ],
)
def test_a_box_is_learned_on_one_level_by_its_size(width, height, level):
    """On whatever level the model has it best: fresh boxes are 32, 64 and 128 pixels wide there."""
    middles, stride = cells_of((160, 160), STRIDES)
    box = (80.0 - width / 2, 80.0 - height / 2, 80.0 + width / 2, 80.0 + height / 2)
    boxes = tf.tile(tf.constant(box)[None, None], [1, len(middles), 1])
    scores = tf.where(stride == level, 0.1, 0.9)[None, :, None]
    quality, _, _ = assigned(tf.constant([[box]]), tf.constant([[0]]), boxes, scores, middles, stride)
    assert set(stride.numpy()[quality.numpy()[0] > 0.0]) == {level}
