"""Importing intake files: what a row becomes, what is planned, what is written and said."""

import datetime
from pathlib import Path
from unittest import mock

import pytest
from django.db import IntegrityError, OperationalError

from animals.importing import importer
from animals.importing.parsing import estimated_birth_date
from animals.models import Animal, PastStay, Status
from tests.animals.importing import (
    AUSTIN,
    AUSTIN_OUTCOMES,
    DALLAS,
    LONG_BEACH,
    SAMPLE,
    WHOLE,
    counts,
    findings,
    report,
    run,
    write,
)
from tests.factories import AnimalFactory

IN_CARE = {"outcome_date": "", "outcome_type": ""}


# --- Files -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_file_that_cannot_be_read_ends_in_exit_code_2_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "no.csv"
    assert run(path) == (2, "", f"{path}: The file cannot be read: No such file or directory.")
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    assert run(path) == (
        2,
        "",
        f"{path}: Line 1 is not CSV: the file is a PNG image. Look for the CSV file.",
    )
    assert not Animal.objects.exists()


def test_an_unknown_header_says_what_each_source_expects_and_what_is_missing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pets.csv"
    path.write_text("animal_id,animal_type,name\nA1,dog,Rex\n")
    code, out, error = run(path)
    assert (code, out) == (2, "")
    assert error.startswith(f"{path}: Line 1, the header, fits no known source.\n")
    assert (
        "  longbeach (City of Long Beach) expects: animal_id, animal_type, sex, dob, intake_date, "
        "intake_type, outcome_date, outcome_type; missing: sex, dob, intake_date, intake_type, "
        "outcome_date, outcome_type\n" in error
    )
    assert [line.split()[0] for line in error.splitlines()[1:]] == [
        "longbeach",
        "austin",
        "austin-outcomes",
        "dallas",
    ]


def test_a_forced_source_that_does_not_fit_says_what_it_expects() -> None:
    code, _, error = run(SAMPLE, "--source=austin")
    assert code == 2
    assert error == (
        f"{SAMPLE}: Line 1, the header, does not fit the source austin.\n"
        "  austin (City of Austin, intakes) expects: animal_id, animal_type, sex_upon_intake, "
        "age_upon_intake, datetime, intake_type; missing: sex_upon_intake, age_upon_intake, "
        "datetime"
    )


# --- Rows --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_row_of_long_beach_is_kept_whole(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        LONG_BEACH,
        {
            "animal_id": "a693708",
            "animal_name": "*charlie  n",
            "primary_color": "white",
            "secondary_color": "tan",
            "sex": "Neutered",
            "dob": "2013-02-21",
            "intake_condition": "ill  moderatete",
            "intake_type": "welfare seized",
            "intake_subtype": "otc",
            "reason_for_intake": "NA",
            "jurisdiction": "Long Beach",
            "outcome_type": "rescue",
            "outcome_subtype": "other resc",
        },
    )
    assert counts(path) == {"new_animals": 1}
    animal = Animal.objects.get()
    assert (animal.code, animal.name, animal.species) == ("A693708", "charlie n", "dog")
    assert (animal.sex, animal.neutered, animal.colour) == ("male", True, "white / tan")
    assert (animal.birth_date, animal.birth_date_estimated) == (datetime.date(2013, 2, 21), False)
    assert (animal.intake_date, animal.intake_type) == (datetime.date(2023, 2, 20), "seized")
    assert (animal.status, animal.outcome_date) == ("transferred", datetime.date(2023, 2, 26))
    assert animal.notes.splitlines() == [
        "Named by staff",
        "Intake type: welfare seized",
        "Intake condition: ill moderatete",
        "Intake subtype: otc",
        "Jurisdiction: Long Beach",
        "Outcome: rescue",
        "Outcome subtype: other resc",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "sex", "neutered"),
    [
        ("Female", "female", None),
        ("Male", "male", None),
        ("Spayed", "female", True),
        ("Neutered", "male", True),
        ("Unknown", "unknown", None),
        ("NA", "unknown", None),
    ],
)
def test_sex_says_no_more_than_the_file(
    tmp_path: Path, said: str, sex: str, neutered: bool | None
) -> None:
    run(write(tmp_path / "a.csv", LONG_BEACH, {"sex": said}))
    assert Animal.objects.values_list("sex", "neutered").get() == (sex, neutered)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "finding", "column", "value", "reason"),
    [
        ({"animal_id": ""}, "E002", "animal_id", "", "there is no code"),
        ({"animal_id": "A 1"}, "E002", "animal_id", "A 1", "is no code: letters, digits and"),
        ({"animal_type": "unicorn"}, "E003", "animal_type", "unicorn", "is none of: amphibian,"),
        ({"sex": "both"}, "E003", "sex", "both", "is none of: female, male, neutered"),
        ({"intake_type": "flew in"}, "E003", "intake_type", "flew in", "is none of: adopted"),
        ({"outcome_type": "sold"}, "E003", "outcome_type", "sold", "is none of: euth"),
        ({"intake_date": ""}, "E004", "intake_date", "", "there is no date"),
        (
            {"intake_date": "2023-02-30"},
            "E004",
            "intake_date",
            "2023-02-30",
            "is no date as 2019-01-31 is one",
        ),
        (
            {"outcome_date": "2023-02-19"},
            "E005",
            "outcome_date",
            "2023-02-19",
            "is before the intake date 2023-02-20",
        ),
        ({"outcome_date": ""}, "E005", "outcome_type", "adoption", "is an outcome without a date"),
    ],
)
def test_a_rejected_row_stops_the_import_and_is_named(
    tmp_path: Path, values: dict[str, str], finding: str, column: str, value: str, reason: str
) -> None:
    path = write(tmp_path / "a.csv", LONG_BEACH, {"animal_id": "B1"}, values)
    code, out, error = run(path)
    assert code == 1
    assert error == f"{path}: 1 row was rejected; nothing was changed."
    assert f"line 3, {column}: REJECTED: {value!r} {reason}" in out
    assert out.endswith(
        "Nothing was changed. Mend the rejected rows, or import the others with --keep-going.\n"
    )
    assert not Animal.objects.exists()
    [found] = findings(path)
    assert found[:4] == (finding, 3, column, value)
    assert found[4].startswith(reason)

    code, out, error = run(path, "--keep-going")
    assert (code, error) == (1, f"{path}: 1 row was rejected; the others were imported.")
    assert out.endswith("All but the rejected rows were imported.\n")
    assert list(Animal.objects.values_list("code", flat=True)) == ["B1"]


@pytest.mark.django_db
def test_ragged_rows_are_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", LONG_BEACH, {})
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1] + ",more", "A1,too few"]) + "\n")
    advice = "look for a comma too many or a quote that is missing"
    assert findings(path) == [
        ("E001", 2, "", "", f"the row has 18 cells, the header has 17: {advice}"),
        ("E001", 3, "", "", f"the row has 2 cells, the header has 17: {advice}"),
    ]


@pytest.mark.django_db
def test_values_that_cannot_be_are_left_out_and_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        LONG_BEACH,
        {"dob": "2023-02-21"},
        {"animal_id": "A2", "dob": "soon"},
        {"animal_id": "A3", "outcome_type": ""},
        {"animal_id": "A4", "animal_name": "x" * 101},
    )
    assert findings(path) == [
        ("N001", 2, "dob", "2023-02-21", "is after the intake date 2023-02-20; left empty"),
        ("N001", 3, "dob", "soon", "is no date as 2019-01-31 is one; left empty"),
        (
            "N002",
            4,
            "outcome_type",
            "",
            "the stay ended on 2023-02-26, and it is not said how; kept as another outcome",
        ),
        (
            "N007",
            5,
            "animal_name",
            "x" * 101,
            "is longer than 100 characters; kept in the notes",
        ),
    ]
    assert list(Animal.objects.order_by("code").values_list("birth_date", "status", "notes")) == [
        (None, "adopted", ""),
        (None, "adopted", ""),
        (None, "other_outcome", ""),
        (None, "adopted", f"Name: {'x' * 101}"),
    ]


@pytest.mark.django_db
def test_a_formula_is_kept_as_the_text_it_is(tmp_path: Path) -> None:
    run(write(tmp_path / "a.csv", LONG_BEACH, {"animal_name": "=CMD()"}))
    assert Animal.objects.get().name == "=CMD()"


@pytest.mark.django_db
def test_an_austin_file(tmp_path: Path) -> None:
    brock = {
        "Name": "*Brock",
        "Sex upon Intake": "Neutered Male",
        "Age upon Intake": "2 years",
        "Breed": "Beagle Mix",
        "Color": "Tricolor",
    }
    other = {
        "Animal ID": "A2",
        "DateTime": "07/05/2015 12:59:00 PM",
        "Intake Type": "Public Assist",
        "Animal Type": "Cat",
        "Sex upon Intake": "Intact Female",
        "Age upon Intake": "-1 years",
    }
    path = write(tmp_path / "austin.csv", AUSTIN, brock, other, brock)
    assert findings(path) == [
        (
            "N001",
            3,
            "age_upon_intake",
            "-1 years",
            "is no age that gives a date of birth; left empty",
        ),
        ("N003", 4, "animal_id", "A1", "is the stay of line 2 again; counted once"),
    ]
    first, second = Animal.objects.order_by("code")
    assert (first.name, first.breed, first.colour) == ("Brock", "Beagle Mix", "Tricolor")
    assert (first.birth_date, first.birth_date_estimated) == (datetime.date(2017, 1, 3), True)
    assert (first.sex, first.neutered, first.status) == ("male", True, "in_care")
    assert (second.sex, second.neutered, second.intake_type) == ("female", False, "other")
    assert second.notes == "Intake type: Public Assist"
    assert "This source tells intakes only" in run(path)[1]


@pytest.mark.django_db
def test_austins_outcomes_end_the_stays_that_are_here(tmp_path: Path) -> None:
    outcomes = write(tmp_path / "outcomes.csv", AUSTIN_OUTCOMES, {})
    [found] = findings(outcomes)
    assert found[:4] == ("E006", 2, "animal_id", "A1")
    counts(write(tmp_path / "austin.csv", AUSTIN, {}))
    assert counts(outcomes) == {"updated": 1}
    animal = Animal.objects.get()
    assert (animal.status, animal.outcome_date) == ("adopted", datetime.date(2019, 1, 8))
    assert counts(outcomes) == {"unchanged": 1}


@pytest.mark.django_db
def test_a_dallas_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "dallas.csv",
        DALLAS,
        {
            "Animal_Breed": "CHIHUAHUA SH",
            "Kennel_Number": "LFD 123",
            "Outcome_Type": "EUTHANIZED",
            "Outcome_Date": "12/22/2023",
            "Chip_Status": "SCAN NO CHIP",
        },
        {"Animal_Id": "A2", "Kennel_Number": "LFD 124"},
    )
    assert counts(path) == {"new_animals": 2}
    assert report(path)["columns_not_imported"] == ["staff_id", "intake_time", "outcome_time"]
    gone, here = Animal.objects.order_by("code")
    assert (gone.breed, gone.location, gone.sex) == ("CHIHUAHUA SH", "", "unknown")
    assert gone.status == "euthanised"
    assert gone.notes == "Kennel: LFD 123\nChip status: SCAN NO CHIP"
    assert (here.location, here.status, here.notes) == ("LFD 124", "in_care", "")


@pytest.mark.parametrize(
    ("age", "born"),
    [
        ("3 days", datetime.date(2023, 12, 28)),
        ("1 week", datetime.date(2023, 12, 24)),
        ("1 month", datetime.date(2023, 11, 30)),
        ("2 Years", datetime.date(2021, 12, 31)),
        ("999 years", datetime.date(1024, 12, 31)),
        ("-1 years", None),
        ("old", None),
        ("", None),
    ],
)
def test_an_age_gives_an_estimate(age: str, born: datetime.date | None) -> None:
    assert estimated_birth_date(age, datetime.date(2023, 12, 31)) == born


# --- Stays -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_animal_that_comes_again_is_one_animal_with_two_stays(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        LONG_BEACH,
        {"intake_date": "2024-05-01", "intake_type": "return", **IN_CARE},
        {},
    )
    assert counts(path) == {"new_animals": 1, "new_stays": 1}
    animal = Animal.objects.get()
    assert (animal.intake_date, animal.status) == (datetime.date(2024, 5, 1), "in_care")
    stay = animal.past_stays.get()
    assert (stay.intake_date, stay.outcome_date, stay.outcome) == (
        datetime.date(2023, 2, 20),
        datetime.date(2023, 2, 26),
        "adopted",
    )
    assert counts(path) == {"unchanged": 2}


@pytest.mark.django_db
def test_duplicates_count_once_and_different_stays_of_a_day_are_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        LONG_BEACH,
        {"outcome_type": "duplicate"},
        {},
        {},
        {"outcome_date": "2023-02-20", "outcome_type": "return to owner"},
    )
    assert findings(path, "--dry-run") == [
        (
            "N003",
            2,
            "animal_id",
            "A1",
            "is a duplicate, of line 3, in its own words; counted once",
        ),
        ("N003", 4, "animal_id", "A1", "is the stay of line 3 again; counted once"),
    ]
    assert counts(path) == {"new_animals": 1, "new_stays": 1, "duplicates": 2}
    assert Animal.objects.get().status == "adopted"
    assert PastStay.objects.get().outcome == "returned_to_owner"


@pytest.mark.django_db
def test_odd_sequences_of_stays_are_kept_and_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        LONG_BEACH,
        IN_CARE,
        {"intake_date": "2023-03-01", "outcome_date": "2023-04-01"},
        {"intake_date": "2023-03-02", "outcome_date": "2023-03-03"},
    )
    assert [(kind, line, reason) for kind, line, _, _, reason in findings(path, "--dry-run")] == [
        ("N005", 3, "begins after the stay of line 2 with no outcome; both are kept"),
        ("N005", 4, "begins before the stay of line 3 ended; both are kept"),
    ]
    assert counts(path) == {"new_animals": 1, "new_stays": 2}
    assert counts(path) == {"unchanged": 3}
    assert PastStay.objects.filter(outcome_date=None, outcome="").count() == 1


@pytest.mark.django_db
def test_rows_of_one_animal_that_differ_are_merged_and_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        LONG_BEACH,
        {"animal_name": "Rex", "sex": "Male"},
        {"animal_name": "Max", "sex": "Neutered", "intake_date": "2023-02-24"},
    )
    assert [(kind, line, *rest) for kind, line, *rest in findings(path) if kind == "N006"] == [
        ("N006", 2, "animal_name", "Rex", "another row of the animal says Max, which is taken")
    ]
    assert Animal.objects.values_list("name", "neutered").get() == ("Max", True)


# --- Again -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_second_import_changes_nothing() -> None:
    first = counts(SAMPLE)
    assert sum(first.values()) == 500
    before = list(Animal.objects.order_by("pk").values()), list(PastStay.objects.values())
    second = counts(SAMPLE)
    assert second["unchanged"] + second.get("duplicates", 0) == 500
    assert (list(Animal.objects.order_by("pk").values()), list(PastStay.objects.values())) == before
    assert "All of it was here already: nothing was changed." in run(SAMPLE)[1]


@pytest.mark.django_db
def test_a_dry_run_tells_the_same_and_writes_nothing() -> None:
    dry = counts(SAMPLE, "--dry-run")
    assert not Animal.objects.exists()
    assert "Dry run: nothing was changed." in run(SAMPLE, "--dry-run")[1]
    assert counts(SAMPLE) == dry


@pytest.mark.django_db
def test_a_later_file_ends_stays_and_adds_new_ones(tmp_path: Path) -> None:
    old = write(tmp_path / "old.csv", LONG_BEACH, IN_CARE)
    new = write(
        tmp_path / "new.csv",
        LONG_BEACH,
        {},
        {"intake_date": "2024-01-01", "intake_condition": "aged", **IN_CARE},
    )
    counts(old)
    assert counts(new) == {"updated": 1, "new_stays": 1}
    animal = Animal.objects.get()
    assert (animal.intake_date, animal.status) == (datetime.date(2024, 1, 1), "in_care")
    assert animal.notes == "Intake condition: aged"
    assert PastStay.objects.get().outcome == "adopted"
    assert counts(new) == {"unchanged": 2}
    assert counts(old) == {"unchanged": 1}


@pytest.mark.django_db
def test_an_outcome_of_a_past_stay_that_was_unknown_is_filled_in(tmp_path: Path) -> None:
    again = {"intake_date": "2024-01-01", **IN_CARE}
    counts(write(tmp_path / "old.csv", LONG_BEACH, IN_CARE, again))
    new = write(tmp_path / "new.csv", LONG_BEACH, {}, again)
    assert counts(new) == {"updated": 1, "unchanged": 1}
    stay = PastStay.objects.get()
    assert (stay.outcome, stay.outcome_date) == ("adopted", datetime.date(2023, 2, 26))


@pytest.mark.django_db
def test_an_earlier_stay_found_later_becomes_a_past_one(tmp_path: Path) -> None:
    counts(write(tmp_path / "new.csv", LONG_BEACH, {"intake_date": "2023-02-21"}))
    early = {"intake_date": "2020-01-01", "outcome_date": "2020-01-02"}
    assert counts(write(tmp_path / "old.csv", LONG_BEACH, early)) == {"new_stays": 1}
    assert Animal.objects.get().intake_date == datetime.date(2023, 2, 21)
    assert PastStay.objects.get().intake_date == datetime.date(2020, 1, 1)


@pytest.mark.django_db
def test_what_people_entered_stays_and_what_is_empty_is_filled(tmp_path: Path) -> None:
    AnimalFactory.create(
        code="A1",
        name="Rex",
        sex="unknown",
        intake_date=datetime.date(2023, 2, 20),
        intake_type="stray",
        status=Status.FOSTERED,
        outcome_date=datetime.date(2023, 2, 22),
        notes="likes fish",
    )
    path = write(
        tmp_path / "a.csv",
        LONG_BEACH,
        {"animal_name": "Max", "sex": "Spayed", "dob": "2020-01-01"},
    )
    assert counts(path) == {"updated": 1}
    animal = Animal.objects.get()
    assert (animal.name, animal.sex, animal.neutered) == ("Rex", "female", True)
    assert animal.birth_date == datetime.date(2020, 1, 1)
    assert (animal.status, animal.notes) == ("fostered", "likes fish")
    assert findings(path) == [
        (
            "N006",
            2,
            "intake_date",
            "2023-02-20",
            (
                "says stray 2023-02-20, adopted 2023-02-26; here it is stray 2023-02-20, fostered "
                "2023-02-22, which stays"
            ),
        ),
        ("N006", 2, "animal_name", "Max", "here it is Rex, which stays"),
    ]
    assert counts(path) == {"unchanged": 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            IntegrityError("not unique"),
            "not unique. Somebody else changed the same animals meanwhile; import again.",
        ),
        (
            OperationalError("no such table: animals_animal"),
            (
                "no such table: animals_animal. The database is behind the code: "
                "type `python manage.py migrate`."
            ),
        ),
        (
            OperationalError("database is locked"),
            "database is locked. Somebody else is writing; import again when they are done.",
        ),
        (
            OperationalError("disk full"),
            "disk full. See that the database can be reached and written to, and import again.",
        ),
    ],
)
def test_a_refusal_of_the_database_changes_nothing_and_is_explained(
    error: Exception, advice: str
) -> None:
    def write_then_fail(*args: object, **kwargs: object) -> None:
        AnimalFactory.create()
        raise error

    with mock.patch.object(importer, "carry_out", write_then_fail):
        result = run(SAMPLE)
    assert result == (2, "", f"{SAMPLE}: Nothing was changed. The database said: {advice}")
    assert not Animal.objects.exists()


# --- The report --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_verbosity_0_tells_of_rejections_alone(tmp_path: Path) -> None:
    assert run(SAMPLE, "--verbosity=0") == (0, "", "")
    path = write(tmp_path / "a.csv", LONG_BEACH, {"animal_type": "unicorn"})
    code, out, _ = run(path, "--verbosity=0")
    assert code == 1
    assert out.startswith("line 2, animal_type: REJECTED: 'unicorn' is none of: amphibian")
    assert out.count("\n") == 1


@pytest.mark.django_db
def test_the_report_goes_to_a_file_and_never_over_the_one_that_is_imported(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", LONG_BEACH, {})
    before = path.read_bytes()
    assert run(path, f"--report={path}") == (
        2,
        "",
        f"{path} is the file to import; write the report to another.",
    )
    assert path.read_bytes() == before
    nowhere = tmp_path / "no/report.txt"
    assert run(path, f"--report={nowhere}") == (
        2,
        "",
        f"The report cannot be written to {nowhere}: No such file or directory.",
    )
    assert not Animal.objects.exists()
    place = tmp_path / "report.txt"
    assert run(path, f"--report={place}") == (0, "", "")
    assert place.read_text().splitlines()[0] == f"{path}: City of Long Beach, 1 rows"


@pytest.mark.django_db
@pytest.mark.skipif(not WHOLE.exists(), reason="the whole Long Beach file is not here")
def test_the_whole_long_beach_file_is_accepted() -> None:
    told = report(WHOLE)
    assert {name: number for name, number in told["counts"].items() if number} == {
        "new_animals": 28754,
        "new_stays": 1026,
        "duplicates": 7,
    }
    assert told["rows"] == 29787
    assert Animal.objects.count() == 28754
    assert PastStay.objects.count() == 1026
    columns = [(finding["id"], finding["column"]) for finding in told["findings"]]
    # 149 are after the row's own intake date, 5 after an earlier one of the same animal.
    assert columns.count(("importing.N001", "dob")) == 154
    assert columns.count(("importing.N002", "outcome_type")) == 10
    assert not any(finding["level"] == "error" for finding in told["findings"])
    assert counts(WHOLE) == {"unchanged": 29780, "duplicates": 7}
