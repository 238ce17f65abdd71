"""What the pages say of CO2 sensors: which they are, how they are kept right, their range."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.co2_sensors import WANTED_PPM, Co2Model, model_of
from gateway.nodes import Co2Report
from gateway.web.formats import Formats


@dataclass(frozen=True, slots=True)
class Co2View:
    """A sensor in words; `remark` where there is something to know."""

    model: str
    facts: str
    remark: str | None


def co2_views(reports: Sequence[Co2Report], board: str | None, formats: Formats) -> list[Co2View]:
    """One for each sensor that a node reports; `board` is what the estate says of the node."""
    views = []
    for report in reports:
        model = model_of(report, board)
        facts = f"{_baseline(report, formats)} · {_calibration(report, formats)}"
        views.append(Co2View(model.name, facts, _remark(model, formats)))
    return views


def _baseline(report: Co2Report, formats: Formats) -> str:
    if report.abc is None:
        return formats.texts("co2.baseline_unknown")
    return formats.texts("co2.baseline_on") if report.abc else formats.texts("co2.baseline_off")


def _calibration(report: Co2Report, formats: Formats) -> str:
    if report.calibrated_at is None:
        return formats.texts("co2.never_calibrated")
    day = formats.date(report.calibrated_at * 1000)
    if report.calibrated_ppm is None:
        return formats.texts("co2.calibrated", day=day)
    return formats.texts("co2.calibrated_to", day=day, value=_ppm(report.calibrated_ppm, formats))


def _remark(model: Co2Model, formats: Formats) -> str | None:
    if not model.falls_short or model.specified_to_ppm is None:
        return None
    wanted = _ppm(WANTED_PPM, formats)
    if not model.may_be:
        return formats.texts(
            "co2.falls_short", value=_ppm(model.specified_to_ppm, formats), wanted=wanted
        )
    models = ", ".join(
        f"{one.name.split()[-1]} {_ppm(one.specified_to_ppm or 0, formats)}" for one in model.may_be
    )
    return formats.texts("co2.may_fall_short", models=models, wanted=wanted)


def _ppm(value: int, formats: Formats) -> str:
    return formats.with_unit("co2", value)
