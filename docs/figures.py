"""The figures that the README and the pages of docs/ quote of templates, computed, and whether these pages say them.

    python docs/figures.py [--long]

Prints a line per figure, marked where no page has it, and exits with 1 then. `--long` adds those of 3000 replicates,
of 100 of symmetry, and of longer trainings (three to six minutes). Tables of error rates and times have commands of
their own, in benchmarks/.
"""

import argparse
import contextlib
import io
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sheetsim

DOCS = Path(__file__).parent
PAGES = DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))

FLOWS = {
    "gradient-flow": "`gradient-flow` (tanh, Xavier)",
    **{f"gradient-flow-{k}": f"`-{k}`" for k in ("sigmoid-std1", "sigmoid-xavier", "relu-xavier", "relu-he")},
}
OPTIMIZERS = {
    "sgd": "SGD | 0.95",
    "momentum": "Momentum | 0.1 (α 0.9)",
    "adagrad": "AdaGrad | 1.5",
    "rmsprop": "RMSprop | 0.3 (ρ 0.9)",
    "adam": "Adam | 0.3 (β 0.9, 0.999)",
}
POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def claims() -> Iterator[str]:
    found = sheetsim.run("relu-he").claims()
    layers = range(1, 6)

    def at(claim: str, layer: int) -> tuple[float, float, float]:
        row = found.loc[claim]
        return row[f"ratio_{layer}"], row[f"low_{layer}"], row[f"high_{layer}"]

    additive, errors = ([found.loc["additivity"][f"{key}_{k}"] for k in layers] for key in ("ratio", "error"))
    yield f"Measured over predicted is {', '.join(f'{ratio:.3f}' for ratio in additive)} from layer 1 to 5"
    yield f"with standard errors of {100 * min(errors):.1f} to {100 * max(errors):.1f} %"
    yield "Var(z)/Var(a) is {:.3f} at layer 1, between {:.3f} and {:.3f}".format(*at("relu_halves_variance", 1))
    yield "where E[z²]/E[a²] is {:.3f} ({:.3f} to {:.3f})".format(*at("relu_halves_second_moment", 1))
    row = found.loc["relu_halves_second_moment"]
    later, errors = ([row[f"{key}_{k}"] for k in layers[1:]] for key in ("ratio", "error"))
    spread = f"{100 * min(errors):.0f} to {100 * max(errors):.0f} %"
    yield f"at layers 2 to 5 it is {min(later):.3f} to {max(later):.3f} with standard errors of {spread}"
    yield "holds at layer 1 ({:.3f}; {:.3f} to {:.3f})".format(*at("moment_rule", 1))
    yield "undecided over all ({:.3f} at layer 5; {:.3f} to {:.3f})".format(*at("moment_rule", 5))


def layers() -> Iterator[str]:
    run = sheetsim.run("sigmoid-xavier")
    table = run.summary()
    shares = [f"{100 * share:.1f}" if share > 0.01 else f"{100 * share:.1g}" for share in table["over_samples"]]
    yield f"the outputs of layer 5 have standard deviation {table['std'][5]:.3f}"
    yield f"{', '.join(shares[:-1])} and {shares[-1]} % is over samples"
    yield f"The verdicts are {', '.join(run.verdicts())}."
    spread = sheetsim.run("tanh-xavier").summary()["std"]
    yield f"standard deviation falls from {spread[1]:.2f} to {spread[5]:.2f} over five layers"


def gradients() -> Iterator[str]:
    for name, label in FLOWS.items():
        first = sheetsim.run(name).summary().loc[1]
        left = first["reach"]
        yield f"{label} | {left:.{2 if left > 0.1 else 3 if left > 0.01 else 4}f} |"
        yield f"| {first['rate']:.3f} ({first['rate_low']:.3f} to {first['rate_high']:.3f}) |"
    for name, sd in (("sigmoid-xavier", 0.1), ("sigmoid-std001", 0.01)):
        run = sheetsim.run(f"gradient-flow-{name}", layers=[100] * 50, samples=200, report="summary")
        chi = sheetsim.mean_field("sigmoid", [100] * 50, [sd] * 50, sheetsim.InputMoments(1, 0))["chi"]
        theory = float(chi[50]) ** 0.5
        rate = f"{run.summary()['rate'][1]:.4f}"
        yield (
            f"the rate is {rate} for sigmoid with Xavier weights (mean field: √χ = {theory:.4f} in deep layers)"
            if sd == 0.1
            else f"and {rate} with 0.01 ({theory:.4f})"
        )


def symmetry() -> Iterator[str]:
    tanh, sigmoid = (sheetsim.run("symmetry", activation=name).summary() for name in ("tanh", "sigmoid"))
    small, large = tanh.loc["small"], tanh.loc["large"]
    others = sigmoid.loc["small"], sigmoid.loc["large"]
    yield f"{small['distance_start']:.4f} → {small['distance_end']:.2f} ({others[0]['distance_end']:.2f})"
    yield f"{small['loss_start']:.3f} → {small['loss_end']:.3f} ({others[0]['loss_end']:.3f})"
    yield f"{large['distance_start']:.2f} → {large['distance_end']:.2f} ({others[1]['distance_end']:.2f})"
    yield f"{large['loss_start']:.2f} ({others[1]['loss_start']:.2f}) → {large['loss_end']:.2f}"
    yield f"{100 * large['slope_start']:.2f} % ({100 * others[1]['slope_start']:.1f} %)"


def symmetry_over_seeds() -> Iterator[str]:
    shares = {}
    for name in ("tanh", "sigmoid"):
        replicates = sheetsim.replicate("symmetry", 100, workers=2, activation=name)
        shares[name] = replicates.verdicts()
        if name == "tanh":
            loss = replicates.frame()["loss_end"].unstack()

    def of(start: str, word: str) -> str:
        row = shares["tanh"].loc[(start, "verdict", word)]
        interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
        return (
            f"{row['count']:.0f} ({interval}; sigmoid {shares['sigmoid'].loc[(start, 'verdict', word), 'count']:.0f})"
        )

    equal = shares["tanh"].loc[("zeros", "verdict", "same forever")]
    yield f"in all of them ({100 * equal['low']:.1f} to {100 * equal['high']:.0f} %)"
    apart, saturated = of("small", "apart"), of("large", "saturated")
    yield f"the small start is apart in {apart}, and the large one saturated in {saturated}"
    yield f"in {(loss['large'] < loss['small']).sum()} of the 100 its loss ends below that of the small one"


def optimizers() -> Iterator[str]:
    run = sheetsim.run("optimizers")
    for (name, row), word in zip(run.summary().iterrows(), run.verdicts(), strict=True):
        f = f"{row['f']:.4f}" if row["f"] < 0.1 else f"{row['f']:.3f}"
        yield f"{OPTIMIZERS[str(name)]} | {f} | {row['steps_to_1_percent']:.0f} | {row['path_length']:.1f} | {word} |"


def recurrent() -> Iterator[str]:
    run = sheetsim.run("rnn-gradients")
    whole, norms = run.summary().loc["unclipped"], run.table("norms")
    yield f"the norm grows from {whole['first']:.2f} to {whole['last']:,.0f}"
    yield f"Single steps grow by {norms['growth'].min():.2f} to {norms['growth'].max():.2f} in turn"
    yield f"σ = {run['largest_singular_value']:.4f}"
    yield f"ρ = {run['spectral_radius']:.3f} (measured {whole['growth']:.3f} over steps 11–20"
    tanh = sheetsim.run("rnn-gradients-tanh")
    digits, _, power = f"{tanh.summary().loc['unclipped', 'last']:.0e}".partition("e")
    left = f"{digits}·10{str(int(power)).translate(POWERS)}"
    yield f"f′ is {tanh['mean_slope']:.2f} on average, and the norm is {left} after 20 steps"


def two_inputs() -> Iterator[str]:
    run = sheetsim.run("correlation-chaos")
    table = run.summary()
    first, last = table["c"].iloc[0], table.iloc[-1]
    yield f"n·sd² = {run['weight_scale']:.1f}) inputs that were nearly the same, c = {first:.3f}, are at {last.c:.3f}"
    interval = f"{last['c_low']:.3f} to {last['c_high']:.3f}"
    yield f"({interval}) after {len(table)} layers; theory says {last['c_theory']:.3f}"


def propagation() -> Iterator[str]:
    last = sheetsim.run("jacobian").summary().iloc[[7, 15]]
    gaussian, orthogonal = last["condition"]
    yield f"is {gaussian:.1e} with Gaussian weights and {orthogonal:.2f} with orthogonal ones"
    yield "({:.3f} and {:.3f})".format(*last["mean_square"])
    points = sheetsim.run("phase-diagram").summary()
    yield f"at c = {points['c'][1]:.3f} after 20 layers"
    yield f"at {points['c'][5]:.3f}, where theory says {points['c_star'][5]:.3f}"
    yield f"c still moves: {points['c'][2]:.3f} (theory for 20 layers: {points['c_theory'][2]:.3f}"
    row = sheetsim.run("finite-width").summary().loc[20]
    interval = f"{row['log_variance_low']:.2f} to {row['log_variance_high']:.2f}"
    yield f"{row['log_variance']:.2f} ({interval}); theory says {row['log_variance_theory']:g}"
    yield f"{100 * row['within']:.0f} % of the networks are within a factor of two"
    yield f"the mean itself is {row['arithmetic']:.2f} of its starting value"
    plain, residual, layer, batch = (
        sheetsim.run(name).summary() for name in ("propagation", "residual", "layer-norm", "batch-norm-propagation")
    )
    yield f"{plain['c'][10]:.2f} in the plain network, {residual['c'][10]:.2f} with skips"
    yield f"{layer['c'][10]:.2f} with skips and layer normalization"
    yield f"with batch normalization it stays at {batch['c'][10]:.2f}"
    rate, theory = batch["rate"][5], batch["rate_theory"][5]
    yield f"grow by {rate:.2f} a layer at layer 5, where theory for 40 samples says {theory:.3f}"


def searched() -> Iterator[str]:
    steps, narrow = sheetsim.run("bayesian-search").summary(), sheetsim.run("bayesian-search", kappa=0.3).summary()
    best = steps["best"].max()
    yield f"at step {(steps['best'] == best).idxmax()}, and its best value is {best:.3f}"
    yield f"stays on the lower one ({narrow['best'].max():.3f})"


def first_pass() -> Iterator[str]:
    table = sheetsim.run("glorot-figures", workers=2).table("first_pass")
    std, left = (
        table["std"],
        table.loc[["standard 1", "normalized 1"], ["back_ratio", "back_ratio_low", "back_ratio_high"]],
    )
    standard, normalized = (100 * left).to_numpy()
    yield "{:.0f} % ({:.0f} to {:.0f} %) of that at layer 5".format(*standard)
    yield "and {:.0f} % ({:.0f} to {:.0f} %) with normalized ones".format(*normalized)
    yield f"{std['standard 1']:.3f} at layer 1 and {std['standard 5']:.3f} at layer 5"
    yield f"{std['normalized 1']:.3f} and {std['normalized 5']:.3f} with normalized ones"


def books() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        book = sheetsim.run("relu-he").to_excel(Path(folder) / "book.xlsx")
        with zipfile.ZipFile(book) as archive:
            sheets = [archive.read(part) for part in archive.namelist() if part.startswith("xl/worksheets/sheet")]
    count = sum(len(re.findall(rb"<f[ >]", sheet)) for sheet in sheets)
    yield f"`relu-he` (1.2 million cells, {count} formulas)"


def replicates() -> Iterator[str]:
    found = sheetsim.replicate("relu-he", 3000, workers=2)
    said = found.claims()
    names = ("Additivity", "The moment rule", "ReLU halves the variance", "ReLU halves the second")
    full = [next(claim for claim in said.index.unique("claim") if claim.startswith(name)) for name in names]
    additivity, moment, variance, second = (said.loc[claim] for claim in full)

    def at(claim: Any, layer: int) -> str:
        row = claim.loc[layer]
        return f"{row['ratio']:.4f} ({row['low']:.4f} to {row['high']:.4f})"

    theory = found.statistics().xs("var_ratio", level="statistic")["theory"][1]
    yield f"measured over predicted is {at(additivity, 1)} at layer 1 and {at(additivity, 5)} at layer 5"
    yield f"Var(z)/Var(a) is {at(variance, 1)} at layer 1 (mean field: {theory:.4f}) and {at(variance, 5)} at layer 5"
    yield f"at every layer: {at(second, 1)}, {at(second, 2)}, …, {at(second, 5)}"
    yield f"{at(moment, 1)} at layer 1, {at(moment, 4)} at layer 4"
    names = ("additivity", "halves the variance", "halves the second moment", "moment rule")
    for claim, name in zip((additivity, variance, second, moment), names, strict=True):
        print(f"  ({name}: {', '.join(claim['verdict'])})")
    pooled = found.statistics().xs("pooled", level="statistic").loc[5]
    ends = f"({pooled['low']:.3f} to {pooled['high']:.3f})"
    yield f"{pooled['mean']:.3f} {ends} at layer 5 where theory says {pooled['theory']:g}"
    yield f"one seed has a standard deviation of {pooled['sd']:.2f}"


def trained() -> Iterator[str]:
    starts = sheetsim.run("training-starts", workers=2)
    loss, entropy = starts.summary()["loss"], starts["entropy"]
    yield f"ends at {loss['zeros']:.3f} with zeros (the entropy of the classes is {entropy:.3f})"
    yield f"at {loss['constant']:.3f} with equal weights, at {loss['std 0.01']:.4f} with standard deviation 0.01"
    yield f"at {loss['xavier']:.4f} with Xavier and at {loss['he']:.4f} with He"
    scales = sheetsim.run("batch-norm-scales", workers=2).table("scales")
    least, most = scales["accuracy_batch_norm"].min(), scales["accuracy_batch_norm"].max()
    yield f"lies between {least:.3f} and {most:.3f} over the 16 scales"
    learned = [f"{share:.3f}" for share in scales["accuracy_plain"] if share > 0.5]
    yield f"learns at two scales ({' and '.join(learned)})"


def example() -> Iterator[str]:
    """What the README's example prints, as the README shows it."""
    code = re.findall(r"```python\n(.*?)```", PAGES[0].read_text(encoding="utf-8"), re.DOTALL)[0]
    out = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(out):
        exec(code, {})
    yield " ".join(out.getvalue().split())


def in_cells() -> Iterator[str]:
    table = sheetsim.run("training-in-cells").summary()
    accuracy, steps = table["accuracy"], table["steps_to_95_percent"]
    shown = [
        f"{accuracy[name]:.2f} from {who}" for name, who in (("constant", "equal weights"), ("small", "small ones"))
    ]
    yield f"Accuracy after 80 steps is {', '.join(shown)} and {accuracy['xavier']:.2f} from Xavier's"
    yield f"at step {steps['small']:.0f} from small weights and at step {steps['xavier']:.0f} from Xavier's"


def first_layer() -> Iterator[str]:
    row = sheetsim.run("training-gradients").table("claims").iloc[0]
    yield f"{row['number']:.3f} ({row['number_low']:.3f} to {row['number_high']:.3f}) comes after update 10"


def regularized() -> Iterator[str]:
    for name in ("weight-decay", "dropout"):
        run = sheetsim.run(name, workers=2)
        table, gap = run.summary(), run.table("claims").iloc[1]
        before, after = table.iloc[0], table.iloc[1]
        yield f"from {before['accuracy']:.3f} to {after['accuracy']:.3f}"
        yield f"{before['test_accuracy']:.3f} to {after['test_accuracy']:.3f}"
        low, high = (f"{-gap[end]:.3f}".replace("-", "−") for end in ("number_high", "number_low"))
        yield f"{-gap['number']:.3f} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    asked = parser.parse_args()
    text = re.sub(r"\s+", " ", " ".join(page.read_text(encoding="utf-8") for page in PAGES))
    parts = [
        example,
        claims,
        layers,
        gradients,
        symmetry,
        optimizers,
        recurrent,
        two_inputs,
        books,
        in_cells,
        first_layer,
        propagation,
        searched,
        *[replicates, symmetry_over_seeds, trained, regularized, first_pass] * asked.long,
    ]
    wrong = 0
    for part in parts:
        for figure in part():
            known = figure in text
            wrong += not known
            print(f"{' ' if known else '!'} {figure}")
    if wrong:
        sys.exit(f"{wrong} figures are not those of the pages")


if __name__ == "__main__":
    main()
