"""The cells' outcomes as a table."""

import models
import variants

INTRODUCTION = """\
PEFT {peft}, transformers {transformers}, torch {torch}. Every model is tiny and random. Two clients of the ranks 4 and 2 send
adapters whose values are all random; they count 30 and 10 examples. A number is the largest difference of a logit between
the published adapter, as PEFT loads it, and a mean computed from the clients' files alone; the adapter is loaded at both
ranks. All of its tensors are compared as well. What is not carried is refused with 422 and the name of the key or the tensor.
"""

TABLES = (
    ("template", "A federation from a template", "The shapes come from an adapter that PEFT saved."),
    ("hand", "A federation whose settings list modules and tensors", "Without a template."),
    ("bare", "The same, and clients that send no configuration", "What the tensors' names and the settings say has to do."),
    ("folder", "`rankwise-client export` as a folder for PEFT", (
        "A number is the largest difference of a logit from the published adapter's.")),
    ("export", "`rankwise-client export --base`", (
        "A number is the largest difference from PEFT's `merge_and_unload`, in proportion to the largest value of a tensor, "
        "or of a logit from the adapted model's. Where PEFT does not merge, neither does `export`.")),
)


def cell(outcome):
    if outcome is None:
        return ""
    return "FAILED" if outcome.kind == "failed" else outcome.text.removeprefix("carried, ").replace("|", "\\|")


def text(outcomes, learned, versions):
    """Markdown; `outcomes` has (model, variant, way) → outcome."""
    lines = [INTRODUCTION.format(**versions)] if outcomes else []
    for way, title, note in TABLES:
        columns = [model.name for model in models.ALL if any(
            (model.name, variant.name, way) in outcomes for variant in variants.ALL)]
        rows = [variant.name for variant in variants.ALL if any(
            (model, variant.name, way) in outcomes for model in columns)]
        if not rows:
            continue
        lines += [f"### {title}", "", note, "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        for row in rows:
            found = [cell(outcomes.get((column, row, way))) for column in columns]
            lines.append(f"| {row} | {' | '.join(found)} |")
        lines.append("")
    others = sorted({way for _, _, way in outcomes} - {way for way, _, _ in TABLES})
    if others:
        lines += ["### `export` on other files of the same base", "", f"| | {' | '.join(others)} |",
                  "|---" * (len(others) + 1) + "|"]
        for model, variant in sorted({(model, variant) for model, variant, way in outcomes if way in others}):
            found = [cell(outcomes.get((model, variant, way))) for way in others]
            lines.append(f"| {model}, {variant} | {' | '.join(found)} |")
        lines.append("")
    if learned:
        lines += [
            "### Learning", "",
            "Two clients of the ranks 8 and 4 train for three rounds through the agent and `scripts/train_peft.py`; the control is "
            "PEFT alone at rank 8 on the pooled data, for as many epochs and steps as each of them. Loss and accuracy are of "
            "texts held out.", "",
            "| task | before | federated | control | |", "|---|---|---|---|---|", *learned, ""]
    return "\n".join(lines)
