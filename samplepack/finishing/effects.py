"""Models of Pedalboard's effects with bounds for their parameters, and the steps of a recipe that use them.

Effects and parameters are read from Pedalboard's own signatures. `_BOUNDS` refuses values that Pedalboard accepts but
can't play, such as a feedback of 2.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pedalboard
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic_core import CoreSchema

from samplepack.documents.problems import readable_path, wrong

_NO_EFFECTS = {"Plugin", "PluginContainer", "Chain", "Mix", "Pedalboard", "ExternalPlugin", "IIRFilter"}
"""Classes of Pedalboard that are containers and base classes rather than effects.

Loaders of plugins (`VST3Plugin`, on macOS also `AudioUnitPlugin`) are left out as well, since they differ between
systems and a recipe must mean the same on all of them; `VST3Plugin` has a model of its own below."""

_OF_AN_ARRAY = "sample_rate"
"""The rate of an impulse response given as an array. Recipes give a file, which states its own rate."""


class Effect(BaseModel):
    """An effect of a chain. Each effect of Pedalboard has a subclass, whose fields are its parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unknown_key_message: ClassVar[str] = "{model} has no parameter '{key}'"

    def __reduce__(self) -> tuple[Any, ...]:
        return _effect, (type(self).__name__, dict(self), self.model_fields_set)

    def plugin(self) -> Any:
        """Create the Pedalboard effect with these parameters."""
        return _make(type(self).__name__, {name: value for name, value in self if name in self.model_fields_set})

    def files(self) -> list[Path]:
        """The files that the effect reads; for a folder, all files in it."""
        paths = [value for _, value in self if isinstance(value, Path)]
        within = [file for path in paths for file in sorted(path.rglob("*")) if file.is_file()]
        return [path for path in paths if not path.is_dir()] + within


def _effect(name: str, parameters: dict[str, Any], given: set[str]) -> Effect:
    """An effect that was pickled: the models of Pedalboard's effects are made at run time, and can't be imported."""
    return EFFECTS[name].model_construct(given, **parameters)


def _make(name: str, parameters: dict[str, Any]) -> Any:
    effect = getattr(pedalboard, name)
    return effect(**{key: _native(effect, key, value) for key, value in parameters.items()})


def _native(effect: Any, parameter: str, value: Any) -> Any:
    """A parameter's value for Pedalboard: a member for the name of an enum's member, text for a path."""
    if isinstance(value, Path):
        return str(value)
    members = _enum_members(effect, parameter)
    return members[value] if members else value


@cache
def _signature(effect: Any) -> dict[str, str]:
    """Parameter → its type and default as in the signature of Pedalboard's C++ code: `float = 440`."""
    first_line = effect.__init__.__doc__.splitlines()[0]
    inside = first_line[first_line.index("(") + 1 : first_line.rindex(") ->")]
    parts, depth = [""], 0
    for c in inside:
        depth += (c in "[<") - (c in "]>")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    declared = (part.strip().partition(": ") for part in parts)
    return {name: rest for name, _, rest in declared if name not in ("self", _OF_AN_ARRAY)}


def _enum_members(effect: Any, parameter: str) -> dict[str, Any]:
    """Name → member of the enum that a parameter takes; empty for a parameter that is no enum."""
    declared = _signature(effect).get(parameter, "")
    match = re.match(r"\w+\.(\w+)\.(\w+) = <", declared)
    return dict(getattr(getattr(pedalboard, match[1]), match[2]).__members__) if match else {}


def _field(name: str, parameter: str, declared: str) -> tuple[Any, Any]:
    """A parameter's type with its bounds, and its default, for `create_model`."""
    effect = getattr(pedalboard, name)
    if members := _enum_members(effect, parameter):
        default = re.search(r"<\w+\.(\w+)", declared)
        return Literal[tuple(members)], default[1] if default else ...
    if declared.startswith("bool"):
        return Annotated[bool, Field(strict=True)], declared.endswith("True")
    if parameter.endswith("_filename"):
        return Annotated[str, AfterValidator(_sound_file)], ...
    default_value = float(declared.split("=")[1]) if "=" in declared else ...
    bounds = next(
        (b for pattern, b in _BOUNDS.items() if re.fullmatch(pattern, f"{name}.{parameter}")), dict[str, Any]()
    )
    accepted = AfterValidator(lambda value, info: _accepted(name, parameter, value, info))
    return Annotated[float, Field(strict=True, allow_inf_nan=False, **bounds), accepted], default_value


_BOUNDS: dict[str, dict[str, Any]] = {
    r".*\.(.*_frequency_hz|cutoff_hz)": {"gt": 0.0},
    r".*\.rate_hz": {"ge": 0.0, "lt": 100.0},
    r".*\.feedback": {"gt": -1.0, "lt": 1.0},
    r".*\.(depth|mix|freeze_mode)": {"ge": 0.0, "le": 1.0},
    r".*_db": {"ge": -120.0, "le": 120.0},
    r".*_ms": {"ge": 0.0, "le": 10_000.0},
    r"NoiseGate\.ratio": {"ge": 1.0},
    r"Resample\.target_sample_rate": {"ge": 1_000.0, "le": 384_000.0},
}
"""Pattern of `Effect.parameter` → bounds of its values, as arguments of Pydantic's `Field`.

Pedalboard itself accepts values beyond them, and plays NaN or noise."""


def _accepted(name: str, parameter: str, value: float, info: ValidationInfo) -> float:
    """The value, if Pedalboard accepts it and a frequency lies below half of the recipe's rate."""
    rate_hz = (info.context or {}).get("rate_hz")
    if rate_hz and re.fullmatch(r".*_frequency_hz|cutoff_hz", parameter) and value >= rate_hz / 2:
        raise wrong(f"{value} is not below half the rate, {rate_hz / 2} Hz")
    try:
        _make(name, {parameter: value})
    except TypeError:
        pass  # it needs other parameters as well; `failure` tries it with all of them
    except ValueError as error:
        raise wrong(f"{value}: {error}") from error
    return value


def _sound_file(value: str, info: ValidationInfo) -> Path:
    import soundfile

    path = readable_path(value, info)
    try:
        if not os.path.isfile(path):
            raise OSError
        soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        reason = "not a sound file that can be read" if os.path.isfile(path) else "no such file"
        raise wrong(f"'{value}': {reason}") from error
    return path


def _plugin(value: str, info: ValidationInfo) -> Path:
    if not (info.context or {}).get("allow_plugins"):
        raise wrong(f"'{value}' is a program that would run; if you trust it, build with --allow-plugins")
    path = Path((info.context or {}).get("folder", "."), value)
    if not os.path.exists(path):
        raise wrong(f"'{value}': no such file or folder")
    return path


class VST3Plugin(Effect):
    """A VST3 plugin. It is a program from elsewhere, which runs only if the user allows it."""

    path_to_plugin_file: Annotated[str, AfterValidator(_plugin)]
    """Path relative to the recipe; often a folder that ends in `.vst3`."""

    parameter_values: dict[str, StrictBool | StrictFloat | StrictInt | StrictStr] = {}
    """Parameter → value, with the plugin's own names as Pedalboard lists them."""

    plugin_name: StrictStr | None = None
    """The plugin to load from a file that contains several."""


def _effect_models() -> dict[str, type[Effect]]:
    """Name → model, for every effect of the installed Pedalboard."""
    models = {}
    for name, effect in vars(pedalboard).items():
        is_effect = isinstance(effect, type) and issubclass(effect, pedalboard.Plugin)
        if not is_effect or name in _NO_EFFECTS or name.startswith("_"):
            continue
        if not issubclass(effect, pedalboard.ExternalPlugin):
            fields: Any = {p: _field(name, p, d) for p, d in _signature(effect).items()}
            models[name] = create_model(name, __base__=Effect, **fields)
    return dict(sorted({**models, "VST3Plugin": VST3Plugin}.items()))


EFFECTS = _effect_models()
"""Name → model, for every effect that a recipe can use."""


class _Step(BaseModel):
    """A step of a recipe's chain, a mapping with one key: `Reverb: {room_size: 0.4}`. `Reverb` means `Reverb: {}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unknown_key_message: ClassVar[str] = "Pedalboard has no effect '{key}'"

    @model_validator(mode="before")
    @classmethod
    def _in_full(cls, step: Any) -> Any:
        if isinstance(step, str):
            step = {step: {}}
        if isinstance(step, dict):
            if len(step) != 1:
                raise wrong("a step is one effect and its parameters; write one step a line")
            step = {name: {} if parameters is None else parameters for name, parameters in step.items()}
        return step

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        in_full = handler.resolve_ref_schema(handler(core))
        one_effect = {**in_full, "minProperties": 1, "maxProperties": 1}
        alone = [
            name for name, effect in EFFECTS.items() if not any(f.is_required() for f in effect.model_fields.values())
        ]
        return {"anyOf": [{"type": "string", "enum": alone}, one_effect]}

    @property
    def effect(self) -> Effect:
        """The step's effect."""
        (name,) = self.model_fields_set
        effect: Effect = getattr(self, name)
        return effect


if TYPE_CHECKING:
    Step = _Step
else:
    Step = create_model("Step", __base__=_Step, **{name: (effect | None, None) for name, effect in EFFECTS.items()})
