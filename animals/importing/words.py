"""What the words of each city's files mean here.

A word that its city's table does not list rejects its row: it is never taken for the nearest one.
Words are compared in lower case, with white space folded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from animals.models import IntakeType, Sex, Species, Status

DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one city. `sexes` give the sex, and whether the animal is neutered."""

    species: Mapping[str, Species]
    sexes: Mapping[str, tuple[Sex, bool | None]]
    intake_types: Mapping[str, IntakeType]
    outcomes: Mapping[str, Status]


# Words that say just what the choice says they are filed under. Every other one says more (a
# rescue is a transfer, a confiscation a seizure), and is kept in the notes.
PLAIN_WORDS = frozenset(
    {
        "adopted animal return",
        "adoption",
        "confiscated",
        "died",
        "euthanasia request",
        "euthanasia",
        "euthanized",
        "foster",
        "keepsafe",
        "missing",
        "owner surrender",
        "quarantine",
        "return to owner",
        "returned to owner",
        "safe keep",
        "stray",
        "transfer",
        "trap, neuter, return",
        "wildlife",
    }
)

# Abbreviations that shelters' software prints in any city's files.
_OUTCOME_ABBREVIATIONS: Mapping[str, Status] = {
    "euth": Status.EUTHANISED,
    "rtf": Status.RELEASED,
    "rto": Status.RETURNED_TO_OWNER,
    "snr": Status.RELEASED,
    "tnr": Status.RELEASED,
}

LONG_BEACH = Vocabulary(
    species={
        "amphibian": Species.AMPHIBIAN,
        "bird": Species.BIRD,
        "cat": Species.CAT,
        "dog": Species.DOG,
        "guinea pig": Species.GUINEA_PIG,
        "livestock": Species.LIVESTOCK,
        "other": Species.OTHER,
        "rabbit": Species.RABBIT,
        "reptile": Species.REPTILE,
        "wild": Species.WILD,
    },
    sexes={
        "": (Sex.UNKNOWN, None),
        "female": (Sex.FEMALE, None),
        "male": (Sex.MALE, None),
        "neutered": (Sex.MALE, True),
        "spayed": (Sex.FEMALE, True),
        "unknown": (Sex.UNKNOWN, None),
    },
    intake_types={
        "adopted animal return": IntakeType.RETURN,
        "confiscate": IntakeType.SEIZED,
        "euthenasia required": IntakeType.EUTHANASIA_REQUEST,
        "foster": IntakeType.FOSTER,
        "owner surrender": IntakeType.OWNER_SURRENDER,
        "quarantine": IntakeType.QUARANTINE,
        "return": IntakeType.RETURN,
        "safe keep": IntakeType.SAFE_KEEPING,
        "stray": IntakeType.STRAY,
        "trap, neuter, return": IntakeType.TRAP_NEUTER_RETURN,
        "welfare seized": IntakeType.SEIZED,
        "wildlife": IntakeType.WILDLIFE,
    },
    outcomes={
        **_OUTCOME_ABBREVIATIONS,
        "adoption": Status.ADOPTED,
        "community cat": Status.RELEASED,
        "died": Status.DIED,
        "disposal": Status.OTHER_OUTCOME,
        DUPLICATE: Status.OTHER_OUTCOME,
        "euthanasia": Status.EUTHANISED,
        "foster": Status.FOSTERED,
        "foster to adopt": Status.FOSTERED,
        "homefirst": Status.OTHER_OUTCOME,
        "missing": Status.MISSING,
        "rescue": Status.TRANSFERRED,
        "return to owner": Status.RETURNED_TO_OWNER,
        "return to rescue": Status.TRANSFERRED,
        "return to wild habitat": Status.RELEASED,
        "shelter, neuter, return": Status.RELEASED,
        "transfer": Status.TRANSFERRED,
        "transport": Status.TRANSFERRED,
        "trap, neuter, release": Status.RELEASED,
    },
)

AUSTIN = Vocabulary(
    species={
        "bird": Species.BIRD,
        "cat": Species.CAT,
        "dog": Species.DOG,
        "livestock": Species.LIVESTOCK,
        "other": Species.OTHER,
    },
    sexes={
        "": (Sex.UNKNOWN, None),
        "intact female": (Sex.FEMALE, False),
        "intact male": (Sex.MALE, False),
        "neutered male": (Sex.MALE, True),
        "null": (Sex.UNKNOWN, None),
        "spayed female": (Sex.FEMALE, True),
        "unknown": (Sex.UNKNOWN, None),
    },
    intake_types={
        "abandoned": IntakeType.OTHER,
        "euthanasia request": IntakeType.EUTHANASIA_REQUEST,
        "owner surrender": IntakeType.OWNER_SURRENDER,
        "public assist": IntakeType.OTHER,
        "stray": IntakeType.STRAY,
        "wildlife": IntakeType.WILDLIFE,
    },
    outcomes={
        **_OUTCOME_ABBREVIATIONS,
        "adoption": Status.ADOPTED,
        "died": Status.DIED,
        "disposal": Status.OTHER_OUTCOME,
        "euthanasia": Status.EUTHANISED,
        "lost": Status.MISSING,
        "missing": Status.MISSING,
        "relocate": Status.RELEASED,
        "return to owner": Status.RETURNED_TO_OWNER,
        "rto-adopt": Status.RETURNED_TO_OWNER,
        "stolen": Status.MISSING,
        "transfer": Status.TRANSFERRED,
    },
)

DALLAS = Vocabulary(
    species={
        "bird": Species.BIRD,
        "cat": Species.CAT,
        "dog": Species.DOG,
        "livestock": Species.LIVESTOCK,
        "wildlife": Species.WILD,
    },
    sexes={},
    intake_types={
        "confiscated": IntakeType.SEIZED,
        "dispos req": IntakeType.OTHER,
        "foster": IntakeType.FOSTER,
        "keepsafe": IntakeType.SAFE_KEEPING,
        "owner surrender": IntakeType.OWNER_SURRENDER,
        "quarantine": IntakeType.QUARANTINE,
        "resource": IntakeType.OTHER,
        "stray": IntakeType.STRAY,
        "tnr": IntakeType.TRAP_NEUTER_RETURN,
        "transfer": IntakeType.TRANSFER,
        "treatment": IntakeType.OTHER,
        "wildlife": IntakeType.WILDLIFE,
    },
    outcomes={
        **_OUTCOME_ABBREVIATIONS,
        "adoption": Status.ADOPTED,
        "dead on arrival": Status.DIED,
        "died": Status.DIED,
        "disposal": Status.OTHER_OUTCOME,
        "euthanized": Status.EUTHANISED,
        "foster": Status.FOSTERED,
        "missing": Status.MISSING,
        "returned to owner": Status.RETURNED_TO_OWNER,
        "transfer": Status.TRANSFERRED,
        "treatment": Status.OTHER_OUTCOME,
    },
)
