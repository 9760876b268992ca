"""What each method is, in the words of its form control."""

from __future__ import annotations

from typing import Final

from data.language import N_

METHODS: Final = {
    "lora": N_("train small matrices beside the frozen weights: the usual choice, an adapter of a few megabytes"),
    "qlora": N_("as lora, with the frozen weights stored in 4 or 8 bits: a quarter of the memory, somewhat slower"),
    "full": N_("train every weight: learns most, and needs eight times the memory and more data"),
    "freeze": N_("train the last layers whole and leave the others alone"),
    "ia3": N_("learn one factor for each channel of keys, values and the MLP: kilobytes, merges without a trace"),
    "prefix_tuning": N_("learn keys and values that stand before every text in each layer; the model stays as it is"),
    "prompt_tuning": N_("learn a few made-up tokens that stand before every text: the smallest adapter there is"),
    "oft": N_("turn the weights by small orthogonal matrices: keeps more of what the model knew"),
}
