"""Both front ends: the full screen and the line-based command.

``cli`` knows the commands, ``app`` knows the screens; what both show is worded in ``words``, ``outcome``,
``answers``, ``conversation_report`` and ``encoded_rows``.
"""
