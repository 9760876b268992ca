"""Which language texts are in, so that a model is chosen that knows it."""

from __future__ import annotations

import pytest

from tunewiz.data.inspection import inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.data.text.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("显存不足时怎么办？把 batch_size 减半。", "zh"),
        ("顯示記憶體不足怎麼辦", "zh"),
        ("How do I restart the server? My GPU is out of memory.", "en"),
        ("disk full error cuda", "en"),
        ("The Café de la Paix is a place in Paris, and you can visit it.", "en"),
        ("GPU メモリが足りない場合はどうしますか", "ja"),
        ("서버를 어떻게 다시 시작합니까", "ko"),
        ("Comment redémarrer le serveur ? La mémoire est pleine.", "und"),
        ("Wie starte ich den Server neu, und was ist der Fehler?", "und"),
        ("Como reiniciar uma placa que não responde", "und"),
        ("Как перезапустить сервер", "und"),
        ("显存 out of memory error again", "und"),
        ("1 + 1 = 2 …", ""),
        ("", ""),
    ],
)
def test_a_language_is_told_from_script_and_small_words(text: str, language: str) -> None:
    assert language_of([text, ""]) == language


def test_the_samples_are_what_they_are_called() -> None:
    for name in ("faq-zh", "faq-en"):
        assert inspect(Dataset(f"sample:{name}", limit=50)).language == name[-2:]
