"""The reasons for which a message or a record goes to the dead letters: every code there is.

`docs/contract.md` says what each means and what to do. It knows neither messages nor the store.
"""

from typing import Final

REASONS: Final = frozenset(
    {
        # Of whole messages.
        "bad_base",
        "bad_log",
        "bad_presence",
        "bad_topic",
        "empty",
        "internal_error",
        "invalid_utf8",
        "must_understand",
        "no_base_name",
        "not_an_array",
        "not_integer",
        "not_json",
        "retained_without_time",
        "time_unknown",
        "too_deep",
        "too_large",
        "too_many_rejected",
        "version",
        "wrong_node",
        # Of single records.
        "bad_channel",
        "bad_time",
        "before_window",
        "conflict",
        "forwarder_refused",
        "no_value",
        "not_a_record",
        "not_finite",
        "time_ahead",
        "time_before_2020",
        "unknown_quantity",
        "wrong_type",
        "wrong_unit",
    }
)
