"""What a well-formed code and microchip number are."""

from django.core.validators import RegexValidator

CODE_PATTERN = r"\A[A-Z0-9][A-Z0-9-]*\Z"

validate_code = RegexValidator(
    CODE_PATTERN,
    "A code is made of letters, digits and hyphens, and begins with a letter or digit.",
    code="code",
)

# ISO 11784 numbers have 15 digits; older AVID numbers have 9 digits, older FECAVA, Trovan and
# Destron ones 10 hexadecimal digits.
MICROCHIP_PATTERN = r"\A([0-9]{15}|[0-9]{9}|[0-9A-F]{10})\Z"

validate_microchip = RegexValidator(
    MICROCHIP_PATTERN,
    "A microchip number has 15 digits (ISO 11784), 9 digits, or 10 hexadecimal digits (0-9, A-F).",
    code="microchip",
)
