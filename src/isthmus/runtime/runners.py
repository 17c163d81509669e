"""The runners that the person has declared local, as generators."""

from isthmus.configuration import Configuration
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import SettingsError
from isthmus.naming import ModelRef


def open_runner(ref: ModelRef, configuration: Configuration) -> RunnerEngine:
    """The model of a runner that ``ref`` names.

    Raises:
        SettingsError: Neither ``ref`` nor the settings say which of the runner's models.
    """
    provider = configuration.settings.providers[ref.value]
    model = ref.model or provider.model
    if model is None:
        raise SettingsError(
            f"the settings don't say which model of {ref.value} to use",
            hint=f"set providers.{ref.value}.model, or use --model {ref.value}/MODEL",
        )
    return RunnerEngine(ref.value, provider, model, key=configuration.keys.get(ref.value))
