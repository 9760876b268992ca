"""Short questions over HTTP: an answer or a reason within seconds, never a hang."""

from __future__ import annotations

import json
import queue
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from tunewiz.problems import Message, say

T = TypeVar("T")
_LARGEST: Final = 8 * 1024 * 1024  # bytes of an answer that are read: what is longer is no list of a model's files


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; ``status`` 0 means that there was none, and ``reason`` why."""

    status: int
    body: bytes = b""
    reason: Message | None = None

    def json(self) -> Any:
        """The body as JSON; ``None`` if it is something else (a captive portal's page)."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class _TokenStaysHome(urllib.request.HTTPRedirectHandler):
    """Follows redirects; the token goes to the host it was meant for and no other."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            following.remove_header("Authorization")
        return following


def ask(url: str, seconds: float, token: str = "") -> Answer:
    """GET ``url`` (http or https, through the environment's proxy); ``seconds`` bound each wait for the network."""
    headers = {"User-Agent": "tunewiz", "Accept": "application/json"} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.build_opener(_TokenStaysHome()).open(request, timeout=seconds) as answer:
            return Answer(int(answer.status), answer.read(_LARGEST))
    except urllib.error.HTTPError as fault:
        with fault:
            return Answer(fault.code)
    except (OSError, HTTPException, ValueError) as fault:
        return Answer(0, reason=_reason(fault, url))


def _reason(fault: BaseException, url: str) -> Message:
    cause = fault.reason if isinstance(fault, urllib.error.URLError) else fault
    proxy = urllib.request.getproxies().get(urlsplit(url).scheme, "")
    # Only host and port: a proxy's address may hold a password.
    behind = urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname or "" if proxy else ""
    why = _why(cause)
    return say("{reason}, through the proxy {proxy}", reason=why, proxy=behind) if behind else why


def _why(cause: object) -> Message:
    if isinstance(cause, TimeoutError):
        return say("no answer in time")
    if isinstance(cause, ConnectionRefusedError):
        return say("connection refused")
    if isinstance(cause, socket.gaierror):
        return say("its name cannot be resolved")
    if isinstance(cause, ssl.SSLError):
        return say("its certificate is not accepted")
    if isinstance(cause, ValueError):
        return say("not a valid address")
    return say("the connection broke ({kind})", kind=type(cause).__name__)


def in_time(questions: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T | BaseException | None]:
    """Ask all at once, until the first in their order that can answer has; exceptions come back as values.

    After ``seconds``, or when a better answer is there, whoever has not answered has ``None``. The threads are daemons:
    one that hangs in a name lookup keeps nobody waiting, not even at exit.
    """
    found: dict[str, T | BaseException | None] = dict.fromkeys(questions)
    for name, answer in _answers(questions, seconds):
        found[name] = answer
        first = next((answer for answer in found.values() if not isinstance(answer, Exception)), None)
        if first is not None:
            break
    return found


def all_in_time(questions: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T | BaseException | None]:
    """As :func:`in_time`, but every answer that comes within ``seconds`` is waited for."""
    return dict.fromkeys(questions) | dict(_answers(questions, seconds))


def _answers(questions: Mapping[str, Callable[[], T]], seconds: float) -> Iterator[tuple[str, T | BaseException]]:
    answers: queue.Queue[tuple[str, T | BaseException]] = queue.Queue()

    def put(name: str, question: Callable[[], T]) -> None:
        try:
            answers.put((name, question()))
        except Exception as fault:  # noqa: BLE001  (handed to the caller, who asked in another thread)
            answers.put((name, fault))

    for name, question in questions.items():
        threading.Thread(target=put, args=(name, question), daemon=True, name=f"ask-{name}").start()
    end = time.monotonic() + seconds
    for _ in questions:
        try:
            yield answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            return
