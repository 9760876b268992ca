"""Training rows: one dataset or several, where they are, and how they are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

from tunewiz.data.folders.hub_ids import at_revision
from tunewiz.data.reading.source import Dataset
from tunewiz.language import N_
from tunewiz.presets.sections.section import Section, about


def _texts(labels: Any) -> Any:
    """Labels as text: YAML has numbers and truth values for ``0`` and ``true``."""
    return {str(label): worth for label, worth in labels.items()} if isinstance(labels, dict) else labels


#: What each label is worth.
NamedLabels = Annotated[dict[str, float], BeforeValidator(_texts)]


class ReadingOptions(Section):
    """How the rows of a dataset are read."""

    format: str = Field(
        "auto",
        min_length=1,
        title=N_("Format"),
        description=N_("How rows are laid out; auto goes by the columns. `tunewiz data FILE` shows what is found."),
        examples=["auto", "pairs", "triplets", "scored"],
        json_schema_extra=about(typical=N_("auto.")),
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        title=N_("Columns"),
        description=N_("Which column plays which role, where the guess is wrong or unsure."),
        examples=[{"query": "问题", "positive": "答案"}],
    )
    roles: dict[str, Literal["user", "assistant", "system", "tool", "call"]] = Field(
        default_factory=dict,
        title=N_("Roles"),
        description=N_("Who speaks in conversations, where a name is none of the usual ones."),
        examples=[{"客服": "assistant", "客户": "user"}],
    )
    encoding: str = Field(
        "auto",
        min_length=1,
        title=N_("Encoding"),
        description=N_("How the file stores characters; auto detects it and reports what it found."),
        examples=["auto", "utf-8", "gb18030", "utf-16", "cp1252"],
        json_schema_extra=about(typical=N_("auto; name it when the preview shows wrong characters.")),
    )
    delimiter: Annotated[str, StringConstraints(strip_whitespace=False)] = Field(
        "auto",
        min_length=1,
        title=N_("Delimiter"),
        description=N_("The character between columns of a text table; auto detects it."),
        examples=["auto", ",", ";", "\t"],
    )
    header: Literal["auto", "yes", "no"] = Field(
        "auto",
        title=N_("Header line"),
        description=N_("Whether the first line of a table names the columns."),
        json_schema_extra=about(
            choices={
                "auto": N_("decided by the first lines"),
                "yes": N_("the first line holds names"),
                "no": N_("the first line is data already"),
            },
        ),
    )
    limit: int | None = Field(
        None,
        ge=1,
        title=N_("Limit"),
        description=N_("Use at most this many training rows, of several datasets of each; empty (null) uses all."),
        examples=[None, 1000],
        json_schema_extra=about(typical=N_("empty (null); 1000 for a quick trial.")),
    )
    subset: str = Field(
        "",
        title=N_("Subset"),
        description=N_(
            "Which configuration of a dataset of a hub, where it has several; they are named in its README."
        ),
        examples=["", "zh"],
    )
    revision: str = Field(
        "",
        title=N_("Revision of the dataset"),
        description=N_("A branch, tag or commit of a dataset of a hub; empty takes the newest when it is downloaded."),
        examples=["", "v1.0", "refs/convert/parquet"],
    )


#: The text of paths takes no part in what a path is: where several may be, they are a list.
Path = Annotated[str, StringConstraints(min_length=1)]


class NamedData(Section):
    """Where a dataset is."""

    path: str = Field(
        min_length=1,
        title=N_("Path"),
        description=N_("A file, a folder, a dataset of a hub or a sample, as for a single dataset."),
        examples=["b.csv", "hf:sentence-transformers/natural-questions"],
        json_schema_extra=about(path=True),
    )


class TrainingSource(ReadingOptions, NamedData):
    """One of several datasets; what it does not say is as the section ``data`` says."""

    weight: float = Field(
        1.0,
        gt=0,
        le=100,
        title=N_("Weight"),
        description=N_(
            "How much of it is trained on: of its rows that are left once those to measure and to validate on are held "
            "out, weight x as many are drawn (0.3: three of ten, at random by training.seed; 2: each twice)."
        ),
        examples=[1, 0.3, 2],
        json_schema_extra=about(
            typical=N_("1; less for a large dataset that would drown a small one."),
            larger=N_("It counts for more."),
            smaller=N_("It counts for less."),
        ),
    )
    split: str = Field(
        "auto",
        min_length=1,
        title=N_("Split"),
        description=N_("Which split of a folder, a collection or a dataset of a hub to train on; auto takes train."),
        examples=["auto", "train", "dev"],
    )
    labels: NamedLabels = Field(
        default_factory=dict,
        title=N_("Labels"),
        description=N_("What each label of this dataset is worth, the higher, the more relevant."),
        examples=[{"E": 1, "S": 0.1}],
    )

    @model_serializer(mode="wrap")
    def _said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is not as it is by default: a list of datasets stays readable."""
        told: dict[str, Any] = whole(self)
        defaults = {name: one.get_default(call_default_factory=True) for name, one in type(self).model_fields.items()}
        return {name: value for name, value in told.items() if name == "path" or getattr(self, name) != defaults[name]}


#: One dataset by its path, or several.
Train = Path | Annotated[list[Path | TrainingSource], Field(min_length=1)]


class TrainingData(Section):
    """Where training rows are."""

    train: Train = Field(
        title=N_("Training data"),
        description=N_(
            "A file (csv, tsv, json, jsonl, parquet, xlsx, also .gz), a BEIR folder, a dataset of a hub "
            "(hf:OWNER/NAME, modelscope:OWNER/NAME), or sample:NAME for data that comes with Tunewiz. Several are "
            "listed: [a.jsonl, {path: b.csv, columns: ..., weight: 0.3}]; rows to measure on are held out of all "
            "of them before a weight draws from what is left."
        ),
        examples=["faq.csv", "/data/beir/scifact", "sample:faq-en"],
        json_schema_extra=about(
            path=True,
            typical=N_("1,000 to 100,000 pairs; a few hundred good ones already help."),
            rule=N_("a path, or a list of paths and of datasets with path, columns, weight and so on"),
        ),
    )


class Rows(ReadingOptions, TrainingData):  # of classes listed, the fields of the last come first
    """Training rows: where they are and how they are read."""

    clean: bool = Field(
        True,
        title=N_("Clean"),
        description=N_("Drop empty and duplicate rows, strip HTML and control characters; the run says how many."),
        json_schema_extra=about(typical=N_("true.")),
    )

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """Every dataset that is trained on, with what the section says of all of them."""
        own = Dataset(
            "",
            self.format,
            getattr(self, "split", "auto"),
            self.columns,
            self.encoding,
            self.delimiter,
            self.header,
            self.limit,
            labels=labels if isinstance(labels := getattr(self, "labels", None), dict) else {},
            subset=self.subset,
            roles=self.roles,
        )
        if isinstance(self.train, str):
            return (_placed(own, self.train, self.revision),)
        return tuple(self._one(source, own) for source in self.train)

    def _one(self, source: str | TrainingSource, own: Dataset) -> Dataset:
        """A dataset of several: its own words first; a mapping of the section holds where those columns are."""
        if isinstance(source, str):
            source = TrainingSource(path=source)
        told = source.format != "auto" or bool(source.columns)
        general = bool(own.columns) or own.format != "auto"
        merged = Dataset(
            "",
            source.format,
            source.split if source.split != "auto" else own.split,
            source.columns,
            source.encoding if source.encoding != "auto" else own.encoding,
            source.delimiter if source.delimiter != "auto" else own.delimiter,
            source.header if source.header != "auto" else own.header,
            source.limit or own.limit,
            like=own if general and not told else None,
            labels=source.labels or own.labels,
            roles=source.roles or own.roles,
            subset=source.subset or own.subset,
            weight=source.weight,
        )
        return _placed(merged, source.path, source.revision or self.revision)


def _placed(dataset: Dataset, path: str, revision: str) -> Dataset:
    return dataset.at(at_revision(path, revision))
