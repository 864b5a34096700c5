"""Which versions of the model store nobody needs any more."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from stream_detector.events import Kind
from stream_detector.models.store import StoredModel

if TYPE_CHECKING:
    from stream_detector.kafka.announcements import Announced

__all__ = ["prunable"]


def prunable(
    models: Sequence[StoredModel],
    announced: "Announced",
    served: Collection[str],
    *,
    keep: int,
    trained_before: datetime | None,
) -> list[StoredModel]:
    """The versions to remove, oldest first.

    Args:
        models: of the store, oldest first.
        announced: what is announced now; all that it needs stays.
        served: sha256 of what workers are known to serve, which stays.
        keep: how many of the newest of each kind stay.
        trained_before: only versions that were trained before it go; None: of any age.
    """
    needed = set(served)
    for announcement in (*announced.serving.values(), *announced.shadows.values()):
        needed.add(announcement.sha256)
        needed.update(announcement.previous[:1])
        needed.update(announcement.withdrawn)  # A retraining reads how these were made.
    for kind in get_args(Kind):
        of_kind = [model.ref.sha256 for model in models if model.kind == kind]
        needed.update(of_kind[len(of_kind) - keep :] if keep < len(of_kind) else of_kind)
    return [
        model
        for model in models
        if model.ref.sha256 not in needed
        and (trained_before is None or model.created_at < trained_before)
    ]
