"""presidio-analyzer, with the spaCy models that are installed, as a recogniser of names."""

from collections.abc import Iterable

from isthmus.errors import SettingsError
from isthmus.handoff.redaction.spans import Recogniser, Span

_RANK = 76
_LEAST_SCORE = 0.5


def presidio_recogniser(languages: tuple[str, ...]) -> Recogniser:
    """Names of people as the installed models of some languages see them.

    Raises:
        SettingsError: There is no model of any of the languages.
    """
    # Imported here: part of an extra, and seconds to load.
    import spacy.util
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    installed: list[str] = sorted(spacy.util.get_installed_models())
    models = {
        language: name
        for language in languages
        for name in installed
        if name.startswith((f"{language}_", "xx_"))
    }
    if not models:
        raise SettingsError(
            f"handoff.redaction.languages: spaCy has no model for {' or '.join(languages)}",
            hint=f"python -m spacy download {languages[0] if languages else 'en'}_core_web_sm",
        )
    configuration = {
        "nlp_engine_name": "spacy",
        "models": [{"lang_code": language, "model_name": name} for language, name in models.items()],
    }
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=list(models))

    def find(text: str) -> Iterable[Span]:
        for language in models:
            for result in analyzer.analyze(text, language, entities=["PERSON"], score_threshold=_LEAST_SCORE):
                yield Span(result.start, result.end, "PERSON", _RANK)

    return find
