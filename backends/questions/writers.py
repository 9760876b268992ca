"""Who writes the questions: a language model of this machine, or an endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

from tunewiz.problems import BadPreset, Message, TunewizError, Where, error, say

#: Begins the name of a model of an endpoint.
ENDPOINT: Final = "endpoint"
_ADDRESS: Final = "https://api.openai.com/v1"
#: Tokens of an answer: a line of up to 40 tokens for each question.
_LINE: Final = 40
#: Variety between the questions of a passage; what strays is dropped by the round trip.
_TEMPERATURE: Final = 0.7


class Writer(ABC):
    """Answers prompts."""

    #: What the questions are said to be from.
    name: str

    @abstractmethod
    def answer(self, prompt: str, count: int) -> str:
        """What it writes when it is asked for ``count`` questions. Raises :class:`TunewizError`."""


def writer_of(name: str, seed: int, tell: Callable[[Message], None]) -> Writer:
    """The writer called ``name``: ``endpoint``, ``endpoint:MODEL``, else a model as ``model.id`` takes it."""
    kind, _, model = name.partition(":")
    if kind == ENDPOINT:
        return EndpointWriter(model)
    return LocalWriter(name, seed, tell)


# A model of this machine.


class LocalWriter(Writer):
    """Any language model that can be tuned here; ``starter`` is the one that installs with Tunewiz."""

    def __init__(self, name: str, seed: int, tell: Callable[[Message], None]) -> None:
        from tunewiz.backends import sources
        from tunewiz.backends.language_models import loaded_model, templates
        from tunewiz.presets.yaml.library import loads

        starter = name in ("starter", "starter-llm")
        self.name = "Gemma 3 270M (starter)" if starter else name
        model = {"id": "starter-llm" if starter else name}
        data = {"train": "sample:intents-en"}  # a preset has to name some; none is read
        text = {"version": 1, "name": "questions", "task": "llm", "model": model, "data": data}
        preset: Any = loads(json.dumps(text))
        located = sources.resolve(preset.model)
        if not located.cached and located.size:
            tell(say("{id}, {size} GB, is downloaded.", id=name, size=f"{located.size / 1e9:.2f}"))
        path = sources.fetch(located)
        template = templates.resolved_template("gemma" if starter else "auto", preset.model.id, path)
        places = loaded_model.Places(str(path), "", "", template, "sft", False)
        loaded_model.ready_process(preset.launch)
        tell(say("{model} is loaded.", model=self.name))
        self._loaded = loaded_model.load(preset, places, None)
        self._seed = seed

    def answer(self, prompt: str, count: int) -> str:
        """See :meth:`Writer.answer`; the same prompt is answered the same way every time."""
        import zlib

        import torch

        from tunewiz.backends.language_models.chatting import stream

        torch.manual_seed(self._seed ^ zlib.crc32(prompt.encode()))
        return "".join(stream(self._loaded, [("user", prompt)], most=_LINE * (count + 1), temperature=_TEMPERATURE))


# An endpoint.


_TRIES: Final = 5
_TIMEOUT: Final = 120.0  # seconds: a large model behind a queue takes its time
_LONGEST_WAIT: Final = 60.0


class EndpointWriter(Writer):
    """A server with OpenAI's ``/chat/completions``: ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` of the environment."""

    def __init__(self, model: str) -> None:
        self._base = (os.environ.get("OPENAI_BASE_URL") or _ADDRESS).rstrip("/")
        self._host = urlsplit(self._base).netloc.rpartition("@")[2]
        self._key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not os.environ.get("OPENAI_BASE_URL") and not self._key:
            message = say("No endpoint is set: neither OPENAI_BASE_URL nor OPENAI_API_KEY is in the environment.")
            fix = say("export OPENAI_BASE_URL=http://localhost:8000/v1, and OPENAI_API_KEY where the server wants one.")
            raise BadPreset(error("no-endpoint", message, Where(key="--writer"), fix))
        if urlsplit(self._base).scheme not in ("http", "https"):
            message = say("OPENAI_BASE_URL is no address of a web server: {address}.", address=self._base)
            raise BadPreset(error("no-endpoint", message, Where(key="--writer")))
        self._model = model or self._only_model()
        self.name = f"{self._model} ({self._host})"

    def answer(self, prompt: str, count: int) -> str:
        """See :meth:`Writer.answer`; busy servers are asked again, later and later."""
        asked = {
            "model": self._model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": _TEMPERATURE,
            # Models that think aloud first need room for that.
            "max_tokens": 2048,
        }
        record = self._ask("/chat/completions", asked)
        try:
            text = record["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            raise self._fault(say("its answer holds no message")) from None
        return str(text or "").rpartition("</think>")[2]

    def _only_model(self) -> str:
        listed = self._ask("/models", None)
        found = listed.get("data") if isinstance(listed, dict) else None
        found = found if isinstance(found, list) else []
        names = [str(one["id"]) for one in found if isinstance(one, dict) and "id" in one]
        if len(names) == 1:
            return names[0]
        message = say("The endpoint {host} has several models: say which.", host=self._host)
        fix = say("--writer endpoint:MODEL, with one of: {names}.", names=", ".join(names[:20]) or "?")
        raise BadPreset(error("which-model", message, Where(key="--writer"), fix))

    def _ask(self, path: str, body: Any) -> Any:
        wait, reason = 1.0, say("no answer in time")
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(min(wait, _LONGEST_WAIT))
                wait *= 2
            try:
                return self._asked(path, body)
            except urllib.error.HTTPError as fault:
                with fault:
                    said = fault.read(2000).decode("utf-8", "replace")
                reason = say("status {status}: {said}", status=fault.code, said=self._clean(said))
                if fault.code not in (408, 409, 425, 429) and fault.code < 500:
                    break
                wait = max(wait, _seconds(fault.headers.get("Retry-After", "")))
            except (OSError, HTTPException) as fault:
                cause = getattr(fault, "reason", fault)
                reason = say("{reason}", reason=self._clean(f"{type(cause).__name__}: {cause}"))
                if isinstance(cause, ConnectionRefusedError):
                    break
            except ValueError:
                reason = say("its answer is no JSON")
        raise self._fault(reason)

    def _asked(self, path: str, body: Any) -> Any:
        headers = {"User-Agent": "tunewiz", "Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, headers)
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            return json.loads(answer.read(8 << 20))

    def _clean(self, text: str) -> str:
        """What a server said without the key, which some repeat, and on one short line."""
        return " ".join((text.replace(self._key, "…") if self._key else text).split())[:300]

    def _fault(self, reason: Message) -> TunewizError:
        message = say("The endpoint {host} gave no questions: {reason}.", host=self._host, reason=reason)
        fix = say("Check OPENAI_BASE_URL, OPENAI_API_KEY and the model's name; what is written stays, run it again.")
        return TunewizError(error("endpoint-failed", message, Where(key="--writer"), fix))


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
