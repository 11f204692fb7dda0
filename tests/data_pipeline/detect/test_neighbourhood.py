"""The nearest of some reference rows."""

import numpy as np

from data_pipeline.detect.neighbourhood import nearest


def test_distances_are_those_of_comparing_all_with_all():
    """Beside the plain way: same neighbours, same distances, nearest first."""
    random = np.random.default_rng(0)
    rows, references = random.normal(size=(50, 6)), random.normal(size=(200, 6)).astype(np.float32)

    distances, positions = nearest(rows, references, 5)

    plain = np.linalg.norm(rows[:, None, :] - references[None, :, :], axis=2)
    assert np.allclose(distances, np.sort(plain, axis=1)[:, :5], atol=1e-3)
    assert np.array_equal(positions, np.argsort(plain, axis=1)[:, :5])


def test_a_row_is_not_its_own_neighbour():
    """Of the rows at no distance one is passed over, not all."""
    references = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0], [6.0, 8.0]], np.float32)

    distances, _ = nearest(references.astype(np.float64), references, 1)

    assert np.allclose(distances[:, 0], [5.0, 0.0, 0.0, 5.0])


def test_fewer_references_than_wanted_give_fewer_neighbours():
    """One reference is enough for an answer."""
    distances, positions = nearest(np.array([[1.0, 1.0]]), np.array([[1.0, 3.0]], np.float32), 20)

    assert distances.shape == positions.shape == (1, 1)
    assert np.allclose(distances, 2.0)
