"""How much memory is free for decoded images on a device."""

import torch

from mia_tui.memory import free_ram_bytes


def free_device_bytes(device: torch.device) -> int:
    """Free memory of a device; that of a CPU is the machine's."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_ram_bytes()
