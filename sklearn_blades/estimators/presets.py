"""Settings of an encoder that belong together, as plain parameters."""

from types import MappingProxyType
from typing import Any

FROM_SCRATCH: MappingProxyType[str, Any] = MappingProxyType(
    # Many small steps, and prompts that stay: docs/method.md, section 5, "From scratch".
    {"freeze_text": True, "batch_size": 24, "image_size": 64, "lr": 1.5e-3}
)

FROM_IMAGENET: MappingProxyType[str, Any] = MappingProxyType(
    # What found most against photographs of a source nobody had seen: docs/results.md.
    {
        "architecture": "blades-lite",
        "pretrained": "imagenet",
        "max_epochs": 0,
        "face_locator": "yunet",
        "face_margin": 1.6,
    }
)

AS_PUBLISHED: MappingProxyType[str, Any] = MappingProxyType(
    {
        "architecture": "blades-rn50",
        "task_weighting": "bilevel-free",
        "outer_interval": 1,
        "paired_views": False,
        "resampled_views": False,
        "exif_fraction": 1.0,
        "face_margin": 1.3,
        "max_epochs": 20,
        "batch_size": 48,
        "lr": 1e-5,
        "weight_lr": 3e-4,
        "weight_decay": 1e-3,
    }
)
