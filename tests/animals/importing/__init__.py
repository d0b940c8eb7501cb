"""Intake files made for tests, and what the command says of them."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command

SAMPLE = Path(__file__).parents[3] / "animals/sample/longbeach_500.csv"
WHOLE = Path(
    os.environ.get("SHELTER_LONGBEACH", Path(__file__).parents[4] / "shared/data/longbeach.csv")
)

# The columns of each source's files, and a row's values where a test says nothing else.
LONG_BEACH = {
    "animal_id": "A1",
    "animal_name": "",
    "animal_type": "dog",
    "primary_color": "",
    "secondary_color": "",
    "sex": "Male",
    "dob": "",
    "intake_date": "2023-02-20",
    "intake_condition": "",
    "intake_type": "stray",
    "intake_subtype": "",
    "reason_for_intake": "",
    "outcome_date": "2023-02-26",
    "jurisdiction": "",
    "outcome_type": "adoption",
    "outcome_subtype": "",
    "intake_is_dead": "Alive on Intake",
}
AUSTIN = {
    "Animal ID": "A1",
    "Name": "",
    "DateTime": "01/03/2019 04:19:00 PM",
    "MonthYear": "January 2019",
    "Found Location": "",
    "Intake Type": "Stray",
    "Intake Condition": "",
    "Animal Type": "Dog",
    "Sex upon Intake": "Intact Male",
    "Age upon Intake": "",
    "Breed": "",
    "Color": "",
}
AUSTIN_OUTCOMES = {
    "Animal ID": "A1",
    "Name": "",
    "DateTime": "01/08/2019 03:11:00 PM",
    "MonthYear": "Jan 2019",
    "Date of Birth": "",
    "Outcome Type": "Adoption",
    "Outcome Subtype": "",
    "Animal Type": "Dog",
    "Sex upon Outcome": "Intact Male",
    "Age upon Outcome": "",
    "Breed": "",
    "Color": "",
}
DALLAS = {
    "Animal_Id": "A0011910",
    "Animal_Type": "DOG",
    "Animal_Breed": "",
    "Kennel_Number": "",
    "Intake_Type": "STRAY",
    "Intake_Subtype": "",
    "Reason": "",
    "Staff_Id": "",
    "Intake_Date": "12/21/2023",
    "Intake_Time": "20:07:00",
    "Intake_Condition": "",
    "Outcome_Type": "",
    "Outcome_Subtype": "",
    "Outcome_Date": "",
    "Outcome_Time": "",
    "Chip_Status": "",
}


def write(path: Path, city: dict[str, str], *rows: dict[str, str]) -> Path:
    """Write a file of `city` with `rows`, each given by what differs from the city's defaults."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(city))
        writer.writeheader()
        writer.writerows(city | row for row in rows)
    return path


def header(city: dict[str, str]) -> str:
    """Return the first line of a file of `city`."""
    return ",".join(city)


def run(path: Path, *options: str) -> tuple[int, str, str]:
    """Return the exit code of `importanimals`, its report and its error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("importanimals", str(path), *options, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), err.getvalue() + str(error)
    return 0, out.getvalue(), err.getvalue()


def report(path: Path, *options: str) -> dict[str, Any]:
    """Return the JSON report, after checking that its counts are a partition of the rows."""
    found: dict[str, Any] = json.loads(run(path, "--format=json", *options)[1])
    assert found["rows"] == sum(found["counts"].values())
    return found


def counts(path: Path, *options: str) -> dict[str, int]:
    """Return the counts of rows that are not 0."""
    return {name: number for name, number in report(path, *options)["counts"].items() if number}


def findings(path: Path, *options: str) -> list[tuple[str, int, str, str, str]]:
    """Return each finding's id (without its `importing.`), line, column, value and message."""
    return [
        (f["id"].removeprefix("importing."), f["line"], f["column"], f["value"], f["message"])
        for f in report(path, *options)["findings"]
    ]
