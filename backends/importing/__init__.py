"""Other programs' configurations read into a preset: LLaMA-Factory, axolotl, command lines of retrieval libraries."""
