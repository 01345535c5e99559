"""What sources claim of the initial weights of a network that is trained."""

from collections.abc import Sequence

from sheetsim.model.expr import Matrix, column_mean, log, row
from sheetsim.studies.training.networks import ComparedNetwork
from sheetsim.studies.training.tables import TrainingClaim, relative_distance

# How near to the entropy the loss of equal zeros is claimed to end.
AT_ENTROPY = 0.02


def start_claims(compared: Sequence[ComparedNetwork], entropy: Matrix) -> list[TrainingClaim]:
    """The claims whose networks are there, by the networks' names."""
    by_name = {one.name: one for one in compared}
    claims = []
    # Of drawn biases units differ, and zeros let something through.
    equal = {one.name for one in compared if isinstance(one.keys.bias, bool)}
    if "zeros" in equal:
        zeros = by_name["zeros"]
        far = relative_distance(row(zeros.curves["loss"], len(zeros.steps)), entropy)
        what = (
            "Weights of 0 end at the entropy of the classes, as only the last bias learns: |loss/entropy − 1| is below "
            f"{AT_ENTROPY:g}."
        )
        claims.append(TrainingClaim("zeros", what, far, AT_ENTROPY))
    if "constant" in equal:
        constant = by_name["constant"]
        most = column_mean(constant.curves["units"])
        what = "Of equal weights the hidden units stay one unit a layer: distinct units, mean over all steps."
        claims.append(TrainingClaim("constant", what, most, 1.5))
    for fast, slow in (("he", "xavier"), ("xavier", "std 0.01")):
        if fast in by_name and slow in by_name:
            difference = _log_loss(by_name[fast]) - _log_loss(by_name[slow])
            what = (
                f"{fast} learns faster than {slow}: the logarithm of the training loss, mean over the recorded steps, "
                "less the other's, run by run."
            )
            claims.append(TrainingClaim(f"{fast} before {slow}", what, difference, 0.0))
    return claims


def _log_loss(one: ComparedNetwork) -> Matrix:
    return column_mean(log(one.curves["loss"]))
