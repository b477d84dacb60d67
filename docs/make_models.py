"""Write the pages of the shipped neuron models, with their pictures.

python docs/make_models.py            measure the models that have changed
python docs/make_models.py --all      measure all models
"""

from __future__ import annotations

import sys
from pathlib import Path

import marked
from model_pages import pages, pictures, responses

from bioae.equations import NeuronModel, available, load_neuron

DOCS = Path(__file__).resolve().parent


def numbers_of(name: str, docs: Path = DOCS) -> Path:
    """Return the path of the stored numbers of a model."""
    return docs / f"results/models/{name}.json"


def pictures_of(name: str, docs: Path = DOCS) -> tuple[Path, Path]:
    """Return the paths of the picture of a model's page and of its thumbnail."""
    folder = docs / "images/models"
    return folder / f"{name}.svg", folder / f"{name}-rate.svg"


def page_of(model: NeuronModel, docs: Path = DOCS, *, file: str | None = None) -> str:
    """Return the text of a model's page, from its stored numbers."""
    return pages.page(
        model,
        responses.read(numbers_of(model.name, docs)),
        file=file or f"../../equations/neurons/{model.name}.toml",
        picture=f"../images/models/{model.name}.svg",
    )


def index_page() -> str:
    """Return the text of the page that lists all models."""
    models = [load_neuron(name) for name in available()]
    thumbnails = {
        model.name: f"../images/models/{model.name}-rate.svg"
        for model in models
        if model.threshold is not None
    }
    return pages.index(models, thumbnails)


def make(
    model: NeuronModel, docs: Path = DOCS, *, measured: bool = False, file: str | None = None
) -> None:
    """Measure a model if it has changed, draw it, and write its page."""
    stored = numbers_of(model.name, docs)
    known = responses.read(stored) if stored.exists() and not measured else {}
    if known.get("model_sha256") != responses.digest(model):
        responses.write(stored, responses.measure(model))
    numbers = responses.read(stored)
    picture, thumbnail = pictures_of(model.name, docs)
    pictures.save(picture, pictures.responses(model, numbers), numbers)
    if "rate" in numbers:
        pictures.save(thumbnail, pictures.thumbnail(numbers), numbers)
    marked.write(docs / f"models/{model.name}.md", page_of(model, docs, file=file))


def main(*options: str) -> None:
    """Write all pages."""
    for name in available():
        make(load_neuron(name), measured="--all" in options)
    marked.write(DOCS / "models/index.md", index_page())


if __name__ == "__main__":
    if set(sys.argv[1:]) - {"--all"}:
        sys.exit(__doc__)
    main(*sys.argv[1:])
