"""The exported service as an image of a container, and the page that says how the service is used."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from tunewiz.backends.reports.blocks import Block, Bullets, Code, Heading, Paragraph, markdown
from tunewiz.files import write_whole
from tunewiz.language import N_, translate
from tunewiz.problems import say

ASK: Final = "curl localhost:8000/search -H 'content-type: application/json' -d @example.json"
#: What the program imports; the store's own packages come on top.
_PACKAGES: Final = ("sentence-transformers", "transformers", "fastapi", "uvicorn", "bm25s", "jieba")
#: What the program does not read while it serves.
_LEFT_OUT: Final = ("with_*.py", "example.json", "README.md", "Dockerfile", ".dockerignore")


def write_container(name: str, folder: Path, packages: Sequence[str]) -> None:
    """Write ``Dockerfile``, ``requirements.txt``, ``.dockerignore`` and ``README.md`` beside the program.

    ``packages`` are those of the store; each is asked for in the version that the service was exported with.
    """
    lines = [_pinned(package) for package in (*_PACKAGES, *packages)]
    write_whole(folder / "requirements.txt", "\n".join(lines) + "\n")
    write_whole(folder / ".dockerignore", "\n".join(_LEFT_OUT) + "\n")
    write_whole(folder / "Dockerfile", "\n".join(_dockerfile(folder)) + "\n")
    write_whole(folder / "README.md", markdown(list(_page(name))))


def _pinned(package: str) -> str:
    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:
        return package


def _dockerfile(folder: Path) -> Iterator[str]:
    inside = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if path.name[0] != ".")
    left = ("Dockerfile", "README.md", "example.json", "requirements.txt")
    goes = [name for name in inside if name not in left and not name.startswith("with_")]
    yield "# " + say("The search service as an image; in this folder:").text()
    yield "#   docker build -t search . && docker run -p 8000:8000 -e SEARCH_API_KEY=... search"
    yield "# " + say("What goes in: {names}.", names=tuple(goes)).text()
    other = say("Other documents: replace documents.jsonl; where there is a store, then: python store.py build")
    yield "# " + other.text()
    yield f"FROM python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    yield (
        "# "
        + say(
            "The usual torch brings the libraries of GPUs, some 3 GB; an index of torch for CPUs makes a small image:"
        ).text()
    )
    yield "#   docker build --build-arg PIP_EXTRA_INDEX_URL=... -t search ."
    yield "ARG PIP_EXTRA_INDEX_URL="
    yield "ARG PIP_INDEX_URL="
    yield "ENV PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false"
    yield "WORKDIR /service"
    yield "# " + say("The packages first: they change seldom, and what does not change is not built again.").text()
    yield "COPY requirements.txt ./"
    yield "RUN pip install --no-cache-dir -r requirements.txt"
    yield "# " + say("Not as root; what a store writes it writes as this user.").text()
    yield "RUN useradd --create-home search && chown search /service"
    yield "COPY --chown=search . ./"
    yield "USER search"
    yield "EXPOSE 8000"
    asked = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=5)"
    yield f'HEALTHCHECK --start-period=120s CMD ["python", "-c", "{asked}"]'
    yield 'CMD ["python", "serve.py", "--host", "0.0.0.0", "--port", "8000"]'


def _page(name: str) -> Iterator[Block]:
    yield Heading(name, 1)
    yield Heading(translate(N_("Start it")))
    yield Code("pip install -r requirements.txt\npython serve.py --port 8000", "sh")
    key = say(
        "It listens on this machine only. Before {host}, set {key}: every request then carries the header {header}.",
        host="--host 0.0.0.0", key="SEARCH_API_KEY", header="Authorization: Bearer …",
    )  # fmt: skip
    yield Paragraph(key.text())
    yield Heading(translate(N_("Ask it")))
    yield Code(ASK, "sh")
    yield Paragraph(
        say("A query may be a list of up to 64 texts. Requests that wait for the model are answered together.").text()
    )
    yield Heading(translate(N_("Many queries: a stream")))
    yield Code("curl -N localhost:8000/search -H 'content-type: application/json' -H 'accept: application/x-ndjson' "
               "-d '{\"query\": [\"…\", \"…\"], \"k\": 5}'", "sh")  # fmt: skip
    yield Paragraph(
        say("Up to 10,000 texts in a request; each is answered by a line of JSON as soon as it is found. The last line "
            "holds {queries} and {milliseconds}: a stream without it is not whole.",
            queries="queries", milliseconds="milliseconds").text()
    )  # fmt: skip
    yield Heading(translate(N_("Watch it")))
    yield Code("curl localhost:8000/health\ncurl localhost:8000/metrics", "sh")
    told = (
        ("search_requests_total, search_errors_total, search_queries_total", N_("requests by status, errors, queries")),
        ("search_seconds", N_("how long answers take, from the request to the last byte")),
        ("search_queue_queries, search_batch_queries", N_("queries that wait, and how many are searched at a time")),
    )
    yield Paragraph(say("{path} is what Prometheus reads:", path="/metrics").text())
    yield Bullets([f"{names}: {translate(words)}" for names, words in told])
    yield Heading(translate(N_("As an image")))
    yield Code("docker build -t search .\ndocker run -p 8000:8000 -e SEARCH_API_KEY=... search", "sh")
