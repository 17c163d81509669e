"""What Isthmus uses of presidio_analyzer."""

from typing import Any

class Result:
    start: int
    end: int

class AnalyzerEngine:
    def __init__(self, nlp_engine: Any, supported_languages: list[str]) -> None: ...
    def analyze(
        self, text: str, language: str, entities: list[str], score_threshold: float
    ) -> list[Result]: ...
