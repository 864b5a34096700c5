import numpy as np
import pytest

from trainer.training.checkpoint import Checkpoint, CheckpointError, Standing, fingerprint

STANDING = Standing(
    {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3).T, "adamw/0": np.int64(7)},
    {"kernel": np.ones((3, 2), np.float32)},
    [{"number": 1.0, "loss": 0.5}],
)


@pytest.fixture
def checkpoint(tmp_path):
    checkpoint = Checkpoint(tmp_path / "new" / "a.safetensors", identity="x")
    checkpoint.save(STANDING)
    return checkpoint


def test_a_saved_checkpoint_loads_as_it_was(checkpoint):
    loaded = checkpoint.load()
    assert loaded.history == STANDING.history
    assert np.array_equal(loaded.state["kernel"], STANDING.state["kernel"])
    assert loaded.state["adamw/0"].shape == ()
    assert loaded.state["adamw/0"] == 7
    assert np.array_equal(loaded.best["kernel"], STANDING.best["kernel"])
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["a.safetensors"]


def test_one_of_another_training_is_refused(checkpoint):
    with pytest.raises(CheckpointError, match="of another training: give the same data"):
        Checkpoint(checkpoint.path, identity="y").load()


def test_a_damaged_or_missing_checkpoint_is_an_error(checkpoint):
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoint.load()
    checkpoint.delete()
    with pytest.raises(CheckpointError, match="no training to resume"):
        checkpoint.load()


def test_where_nothing_can_be_written_the_one_before_stays(checkpoint, monkeypatch):
    before = checkpoint.path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stream_detector.system.atomic_files.os.fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        checkpoint.save(STANDING)
    assert checkpoint.path.read_bytes() == before
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["a.safetensors"]


def test_a_fingerprint_is_of_options_and_rows():
    assert fingerprint(1, texts=["a"]) == fingerprint(1, texts=["a"])
    assert (
        len({fingerprint(1, texts=["a"]), fingerprint(2, texts=["a"]), fingerprint(1, texts=["b"])})
        == 3
    )
