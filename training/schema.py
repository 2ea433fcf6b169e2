"""KDD Cup 1999 connection records as data: features, vocabularies, labels, and the encoding of one record.

The encoding is a pure function of this file (nothing is fitted), so training and serving cannot disagree: numeric
features come first, in the order of the data set, then one 0/1 column a known symbol and one for every other symbol.
Scaling is the learner's work. Only the standard library is used: the predict Lambda ships this file as it is.

References
----------
Features, symbols and labels: KDD Cup 1999 Data, UCI KDD Archive, DOI 10.24432/C51C7N (``kddcup.names`` and the full
training set, which knows four services the 10 % subset does not: aol, harvest, http_2784, http_8001).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

FLOAT32_MAX: Final = 3.4028234663852886e38
OTHER: Final = "other"
LABELS: Final = ("normal", "attack")
LABEL_FORM: Final = re.compile(r"[A-Za-z0-9_]+\.")
LABEL_RULE: Final = "'normal.' or the name of an attack with a full stop at its end, such as 'smurf.'"
NUMBER_RULE: Final = "a finite number of at most 3.4e38 in size (float32)"


@dataclass(frozen=True)
class Feature:
    """One column of the raw records.

    Parameters
    ----------
    name : str
        As in ``kddcup.names``.
    vocabulary : tuple of str
        Known symbols of a categorical feature; empty for a number. Other symbols count as "other".
    """

    name: str
    vocabulary: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Why one field of a record cannot be encoded."""

    field: str
    reason: str


class RecordError(ValueError):
    """A record that cannot be encoded.

    Attributes
    ----------
    problems : tuple of Problem
        Every problem of the record, in the order of the features.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.reason}" for problem in problems))
        self.problems = problems


_NAMES = """
duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot num_failed_logins logged_in
num_compromised root_shell su_attempted num_root num_file_creations num_shells num_access_files num_outbound_cmds
is_host_login is_guest_login count srv_count serror_rate srv_serror_rate rerror_rate srv_rerror_rate same_srv_rate
diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count dst_host_same_srv_rate dst_host_diff_srv_rate
dst_host_same_src_port_rate dst_host_srv_diff_host_rate dst_host_serror_rate dst_host_srv_serror_rate
dst_host_rerror_rate dst_host_srv_rerror_rate
"""
_VOCABULARIES = {
    "protocol_type": "icmp tcp udp",
    "service": """
        IRC X11 Z39_50 aol auth bgp courier csnet_ns ctf daytime discard domain domain_u echo eco_i ecr_i efs exec
        finger ftp ftp_data gopher harvest hostnames http http_2784 http_443 http_8001 imap4 iso_tsap klogin kshell
        ldap link login mtp name netbios_dgm netbios_ns netbios_ssn netstat nnsp nntp ntp_u pm_dump pop_2 pop_3
        printer private red_i remote_job rje shell smtp sql_net ssh sunrpc supdup systat telnet tftp_u tim_i time
        urh_i urp_i uucp uucp_path vmnet whois
    """,
    "flag": "OTH REJ RSTO RSTOS0 RSTR S0 S1 S2 S3 SF SH",
}

FEATURES: Final = tuple(Feature(name, tuple(_VOCABULARIES.get(name, "").split())) for name in _NAMES.split())
NUMERIC: Final = tuple(feature for feature in FEATURES if not feature.vocabulary)
CATEGORICAL: Final = tuple(feature for feature in FEATURES if feature.vocabulary)
ENCODED_COLUMNS: Final = tuple(feature.name for feature in NUMERIC) + tuple(
    f"{feature.name}={symbol}" for feature in CATEGORICAL for symbol in (*feature.vocabulary, OTHER)
)
FEATURE_DIM: Final = len(ENCODED_COLUMNS)

_numbers_of = itemgetter(*(feature.name for feature in NUMERIC))
_symbols_of = itemgetter(*(feature.name for feature in CATEGORICAL))
_NUMBER_TYPES = {int, float}
_NUMBERS_FORMAT = "%r," * len(NUMERIC)


def _one_hot(size: int, position: int) -> list[float]:
    return [1.0 if column == position else 0.0 for column in range(size)]


def _one_hots(feature: Feature) -> dict[str, list[float]]:
    symbols = (*feature.vocabulary, OTHER)
    return {symbol: _one_hot(len(symbols), position) for position, symbol in enumerate(symbols)}


def _texts(one_hots: Mapping[str, list[float]]) -> dict[str, str]:
    return {symbol: ",".join(map(repr, one_hot)) for symbol, one_hot in one_hots.items()}


_ONE_HOTS = tuple((one_hots, one_hots[OTHER]) for one_hots in map(_one_hots, CATEGORICAL))
_ONE_HOT_TEXTS = tuple((texts, texts[OTHER]) for texts in (_texts(one_hots) for one_hots, _ in _ONE_HOTS))


def encode(record: Mapping[str, Any]) -> list[float]:
    """Encode one record.

    Parameters
    ----------
    record : Mapping
        All 41 fields by name: numbers for numeric features, text for the three categorical ones.

    Returns
    -------
    list of float
        ``FEATURE_DIM`` values in the order of ``ENCODED_COLUMNS``.

    Raises
    ------
    RecordError
        With every problem of the record: a missing or unknown field, a value of the wrong kind.
    """
    numbers, symbols = _checked(record)
    encoded = list(map(float, numbers))
    for symbol, (one_hots, other) in zip(symbols, _ONE_HOTS, strict=True):
        encoded += one_hots.get(symbol, other)
    return encoded


def encode_csv(record: Mapping[str, Any]) -> str:
    """Encode one record as a CSV row without label: what `encode` returns, several times faster than joining it."""
    numbers, symbols = _checked(record)
    one_hots = [texts.get(symbol, other) for symbol, (texts, other) in zip(symbols, _ONE_HOT_TEXTS, strict=True)]
    return _NUMBERS_FORMAT % numbers + ",".join(one_hots)


def _checked(record: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Return numbers and symbols in the order of the features; the sound record is told by a few cheap looks."""
    try:
        numbers, symbols = _numbers_of(record), _symbols_of(record)
        sound = (
            len(record) == len(FEATURES)
            and _NUMBER_TYPES.issuperset(map(type, numbers))
            and set(map(type, symbols)) == {str}
            and sum(map(abs, numbers)) <= FLOAT32_MAX  # false for nan too
        )
    except (KeyError, OverflowError):
        sound = False
    if not sound and (problems := find_problems(record)):
        raise RecordError(problems)
    return numbers, symbols


def find_problems(record: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Return every problem of a record, unknown fields last; empty if it can be encoded."""
    problems = [
        Problem(feature.name, reason)
        for feature in FEATURES
        if (reason := _reason_against(feature, record)) is not None
    ]
    known = {feature.name for feature in FEATURES}
    problems += [
        Problem(str(name), f"unknown field; allowed are the {len(FEATURES)} features of KDD Cup 1999")
        for name in record
        if name not in known
    ]
    return tuple(problems)


def _reason_against(feature: Feature, record: Mapping[str, Any]) -> str | None:
    rule = "text" if feature.vocabulary else NUMBER_RULE
    if feature.name not in record:
        return f"missing; {rule} is required"
    value = record[feature.name]
    if isinstance(value, str) if feature.vocabulary else is_encodable_number(value):
        return None
    return f"came {shorten(value)}; allowed is {rule}"


def is_encodable_number(value: object) -> bool:
    """Tell whether a value is a number, not a bool, and finite as float32."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FLOAT32_MAX


def shorten(value: object) -> str:
    """Show a value as it came, cut to a length fit for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def label_of(text: str) -> int:
    """Return 0 for ``normal.`` and 1 for an attack.

    Raises
    ------
    ValueError
        If the text has not the form of a KDD99 label.
    """
    if not LABEL_FORM.fullmatch(text):
        raise ValueError(f"came {shorten(text)}; allowed is {LABEL_RULE}")
    return int(text != "normal.")
