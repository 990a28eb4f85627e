"""What is asked of a device: one `edgevit-run profile`, whichever way it is reached."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.errors import ConfigError, unknown_key
from edgevit_runtime.engines.accelerators import ACCELERATORS
from edgevit_runtime.engines.gpu_trial import TRIAL_SECONDS
from edgevit_runtime.measure.conditions import COOL_DOWN_SECONDS
from edgevit_runtime.measure.profile import SECONDS
from edgevit_runtime.resolution import ResolutionLike, as_resolution
from edgevit_runtime.signature import parts_of

__all__ = ["ProfileRequest", "parse_threads"]


@dataclass(frozen=True)
class ProfileRequest:
    """How a ladder is to be measured; None and empty leave it to the runtime on the device.

    Raises `ConfigError` and `ResolutionError` for values that no device could follow.
    """

    resolutions: tuple[ResolutionLike, ...] = ()
    """Such as 224 or "640x384", here as `Resolution`s; empty: the artefact's whole ladder."""
    threads: tuple[int, ...] = (1,)
    """Each of these numbers of threads is measured, in turns with the others."""
    cpus: tuple[int, ...] = ()
    """The only ones to run on, by the numbers that the device gives them; empty: as the system likes."""
    seconds: float | None = None
    """The most that one resolution may run."""
    duration_s: float | None = None
    """The most that all of them may take together, pauses for cooling included."""
    cool_down_s: float | None = None
    """The most that may be spent on waiting until the device is cool again; 0: never wait."""
    sustained_s: float | None = None
    """Afterwards run one resolution for so long without a pause, to see the heat."""
    sustained_at: ResolutionLike | None = None
    """Which resolution that is; None: the artefact's default, or else the largest measured one."""
    ops: bool = False
    """Also where the time goes, by kind of operator."""
    task: str | None = None
    """Whose signatures; None: the artefact's default one."""
    accelerator: str = "cpu"
    """`cpu`, `gpu`, or `auto`: both, where the GPU passes the artefact's self-test."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "resolutions", tuple(map(as_resolution, self.resolutions)))
        if self.sustained_at is not None:
            object.__setattr__(self, "sustained_at", as_resolution(self.sustained_at))
        if any(value < 1 for value in self.threads):
            raise ConfigError(f"threads must be 1 or more, not {', '.join(map(str, self.threads))}")
        # It goes through a shell.
        if self.task is not None and not all(each.isalnum() for each in parts_of(self.task)):
            raise ConfigError(f"a task is a word such as classify or features, not {self.task!r}")
        if not self.threads:
            raise ConfigError("threads: name at least one number of threads, such as 1 or 1,2,4")
        if self.accelerator not in ACCELERATORS:
            raise unknown_key("accelerator", self.accelerator, ACCELERATORS)
        if len(set(self.threads)) < len(self.threads):
            raise ConfigError(f"threads names a number twice: {', '.join(map(str, self.threads))}")
        for name in ("seconds", "duration_s", "sustained_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} must be above 0, not {value:g}")
        if self.cool_down_s is not None and not self.cool_down_s >= 0:
            raise ConfigError(f"cool_down_s must be 0 or more, not {self.cool_down_s:g}")
        if self.sustained_at is not None and self.sustained_s is None:
            raise ConfigError(
                f"sustained_at {self.sustained_at} says where, but not for how long: give sustained_s (--sustained) too"
            )

    def arguments(self) -> list[str]:
        """What stands after `edgevit-run profile ARTEFACT --json`; nothing in it needs quoting for a shell."""
        words = ["--threads", ",".join(map(str, self.threads))]
        for option, several in (("--resolutions", self.resolutions), ("--cpus", self.cpus)):
            if several:
                words += [option, ",".join(map(str, several))]
        for option, value in (
            ("--seconds", self.seconds),
            ("--duration", self.duration_s),
            ("--cool-down", self.cool_down_s),
            ("--sustained", self.sustained_s),
        ):
            if value is not None:
                words += [option, f"{value:.10g}"]
        if self.task is not None:
            words += ["--task", self.task]
        if self.accelerator != "cpu":  # which older runtimes do not know
            words += ["--accelerator", self.accelerator]
        if self.sustained_at is not None:
            words += ["--sustained-at", str(self.sustained_at)]
        return [*words, "--ops"] if self.ops else words

    def longest_s(self, ladder: int) -> float:
        """What the timing may take at most, in seconds, for an artefact of `ladder` resolutions.

        Loading, the first runs and the operators' times come on top: whoever waits for an answer waits a while longer.
        """
        points = (len(self.resolutions) or ladder) * (len(self.threads) + (self.accelerator == "auto"))
        each = SECONDS if self.seconds is None else self.seconds
        trial = 0.0 if self.accelerator == "cpu" else TRIAL_SECONDS
        cooling = COOL_DOWN_SECONDS if self.cool_down_s is None else self.cool_down_s
        if self.duration_s is None:
            return trial + points * each + cooling + (self.sustained_s or 0.0)
        # The duration has an end of its own, pauses included; before a sustained run it may still have to cool.
        return trial + self.duration_s + (self.sustained_s + cooling if self.sustained_s else 0.0)


def parse_threads(text: str) -> tuple[int, ...]:
    """`"1,2,4"` -> (1, 2, 4), in that order: the first is the profile's own. Raises `ConfigError` for anything else."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ConfigError(f"threads are whole numbers above 0 with commas between, such as 1,2,4; not {text!r}")
    numbers = tuple(int(word) for word in words)
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"threads names a number twice: {text}")
    return numbers
