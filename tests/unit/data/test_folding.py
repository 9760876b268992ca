"""Texts folded by a table are what the standard library and a pattern make of them."""

from __future__ import annotations

import random
import unicodedata

from tunewiz.data.text import folding
from tunewiz.data.text.folding import NOISE, fold


def slowly(text: str) -> str:
    return NOISE.sub("", unicodedata.normalize("NFKC", text).casefold())


def test_every_character_of_the_table_becomes_what_it_becomes_in_company() -> None:
    table = folding._table()
    known = [chr(point) for point in range(len(table) - 1) if table[point] != folding._OTHER]
    assert len(known) > 40_000
    lot = random.Random(5)
    for _ in range(3):  # each beside others, and in three orders
        lot.shuffle(known)
        assert fold("".join(known)) == slowly("".join(known))


def test_any_text_is_folded_as_the_slow_way_folds_it() -> None:
    lot = random.Random(6)
    usual = "aZ09 .,?!…ß-_（）。，、：；！？“”‘’é中文字かがー한①²ΣςİıǅﬁŒ½™①Ω\n\t\0\u3000\u00a0\u200b😀❤\ufe0f．３"
    odd = "\u0301\u0327\u3099\uff9e\u1161\u11a8\u0345\u0344\u09be\u0378\ud800\U00020000\U0010ffff\ufb01\u0d15"
    for _ in range(3_000):
        signs = usual + odd if lot.random() < 0.3 else usual
        if lot.random() < 0.3:
            signs += "".join(chr(lot.randrange(0x1FC00)) for _ in range(3))
        text = "".join(lot.choice(signs) for _ in range(lot.randrange(30)))
        assert fold(text) == slowly(text), ascii(text)
    assert (fold("３．５ 。５.．5"), fold("…５…5"), fold("")) == ("3.555", "55", "")
    assert fold("１，０００…" * 300_000) == "1000" * 300_000  # too long for the table
