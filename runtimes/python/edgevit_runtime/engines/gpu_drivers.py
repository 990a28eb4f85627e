"""What stands for this machine's GPU and its drivers: what was found with others says nothing of these."""

from __future__ import annotations

import glob
import os
import platform

VULKAN_FOLDERS = ("/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d")
"""Where drivers are announced, as the Vulkan loader looks for them: "Driver Discovery" in its documentation."""
VULKAN_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES")


def gpu_drivers() -> str:
    """The kernel, whose modules drivers are, and each file that announces a driver, with its size and time."""
    named = [file for name in VULKAN_VARIABLES for file in os.environ.get(name, "").split(os.pathsep) if file]
    found = [file for folder in VULKAN_FOLDERS for file in sorted(glob.glob(os.path.join(folder, "*.json")))]
    words = [platform.release()]
    for file in (*named, *found):
        try:
            seen = os.stat(file)
        except OSError:
            continue
        words.append(f"{file} {seen.st_size} {seen.st_mtime_ns}")
    return " ".join(words)
