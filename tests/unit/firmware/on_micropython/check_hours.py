import hours

# 29 March 2026, 00:59:59 UTC: a second before summer time. 25 October 2026, 00:59:59: one before
# its end.
_SPRING, _AUTUMN = 1_774_745_999, 1_792_889_999
_MONDAY = 1_768_176_000  # 12 January 2026, 00:00 UTC


def summer_time_is_that_of_the_union():
    assert not hours.is_summer(_SPRING) and hours.is_summer(_SPRING + 1)
    assert hours.is_summer(_AUTUMN) and not hours.is_summer(_AUTUMN + 1)
    # 2000 to 2050, in January and July.
    for year in range(2000, 2051):
        january = (year - 1970) * 31_556_952
        assert not hours.is_summer(january + 10 * 86_400), year
        assert hours.is_summer(january + 190 * 86_400), year


def rules_hold_at_their_days_and_times():
    rules = hours.parse("Mo-Fr 08:00-12:00,13:30-18:00; Sa,Su 10:00-24:00")
    for day in range(7):
        for minute in range(0, 1440, 30):
            weekday = (480 <= minute < 720 or 810 <= minute < 1080) and day < 5
            weekend = minute >= 600 and day >= 5
            moment = _MONDAY + day * 86_400 + minute * 60
            assert hours.is_open(rules, moment, 0, False) is (weekday or weekend), (day, minute)


def an_offset_moves_the_day_too():
    rules = hours.parse("Mo 00:00-01:00")
    assert hours.is_open(rules, _MONDAY - 3600, 60, False)
    assert not hours.is_open(rules, _MONDAY, 60, False)


def what_is_no_hours_is_refused():
    for text in (
        "",
        "always",
        "Mo",
        "Mo 8:00-9:00",
        "Mo 08:00",
        "Mo 09:00-08:00",
        "Mo 08:00-24:01",
        "Mo 08:60-09:00",
        "Fr-Mo 08:00-09:00",
        "oT 08:00-09:00",
        "Mo 08:00-09:00;",
        "; ".join(["Mo 08:00-09:00"] * 17),
    ):
        try:
            hours.parse(text)
        except ValueError:
            continue
        raise AssertionError(text)
