"""What presence says of the sensors and of the node around them. Loaded for it and dropped again.

It must not know topics.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app import App
    from node_types import Json
    from sensing import Sensors


def describe(sensors: Sensors) -> Json:
    """`sensors`, `failing` where some are, and of each CO2 sensor, which the French rules ask for,
    whether its baseline is corrected automatically (`null`: it does not tell), and when and to
    what it was calibrated.
    """
    state: Json = {"sensors": sensors.names}
    if sensors.failing:
        state["failing"] = sensors.failing
    co2 = []
    for sensor in sensors.all:
        if hasattr(sensor.driver, "abc"):
            about: Json = {"sensor": sensor.driver.name, "abc": sensor.driver.abc}
            if getattr(sensor.driver, "single", False):
                about["single_shot"] = True
            if sensor.driver.name in sensors.calibrated:
                at, ppm = sensors.calibrated[sensor.driver.name]
                about["calibrated_at"] = at
                about["calibrated_ppm"] = ppm
            co2.append(about)
    if co2:
        state["co2"] = co2
    return state


def describe_node(app: App, boots: int, reset: str) -> Json:
    """All that presence says besides the session's own."""
    state = describe(app.sensors)
    state["boots"] = boots
    state["reset"] = reset
    state["uptime"] = app.uptime_s()
    if app.lost:
        state["lost"] = app.lost
    if app.update:
        state["update"] = app.update
    if app.link.rssi_dbm is not None:
        state["rssi"] = app.link.rssi_dbm
    if app.clock.drift_ppm is not None:
        state["drift_ppm"] = app.clock.drift_ppm
    return state
