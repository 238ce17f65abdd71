"""Prints what the chip's `network` refuses of an access point, and what it gives."""

import os
import sys

sys.path.insert(0, os.getenv("PORT"))

__import__("remote")

import network

point = network.WLAN(network.AP_IF)
WPA2 = network.AUTH_WPA2_PSK


def _told(**key):
    try:
        point.config(**key)
        print("taken")
    except OSError as error:
        print(error)


_told(ssid="early")
point.active(True)
_told(ssid="school", key="1234567", security=WPA2)
_told(ssid="school", security=WPA2)
_told(ssid="x" * 33)
_told(ssid="school", channel_of_mine=3)
_told(ssid="school", key="12345678", security=WPA2)
print(point.ifconfig()[0])
station = network.WLAN(network.STA_IF)
print(station.active(), point.active())
station.active(True)
station.active(False)
print(station.active(), network.WLAN(network.AP_IF).active())
try:
    station.config(ssid="school")
except OSError as error:
    print(error)
