"""Makes the pictures in docs/screenshots again.

    .windlass/browser/bin/python tests/browser/screenshots.py [FOLDER]
"""

import os
import sys

from dashboard import CATALOGUE, REPOSITORY, Browser, Dashboard

DESKTOP, PHONE = (1120, 1500), (390, 1800)
PICTURES = (
    ("status", "/status", DESKTOP, ("light", "dark")),
    ("status-phone", "/status", PHONE, ("light", "dark")),
    ("incident", "/incidents/7", DESKTOP, ("light",)),
    ("history", "/history", DESKTOP, ("light",)),
    ("availability", "/availability", DESKTOP, ("light",)),
    ("availability-phone", "/availability?region=EU-DE", PHONE, ("dark",)),
)
LARGEST = 200_000


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(REPOSITORY, "docs/screenshots")
    os.makedirs(folder, exist_ok=True)
    dashboard = Dashboard(CATALOGUE)
    try:
        dashboard.fill()
        browser = Browser()
        try:
            for name, path, size, themes in PICTURES:
                for theme in themes:
                    browser.show_as(*size, theme)
                    browser.driver.get(dashboard.url + path)
                    picture = browser.picture(size[1])
                    if len(picture) > LARGEST:
                        raise SystemExit(f"{name}-{theme} has {len(picture)} bytes, more than {LARGEST}")
                    with open(os.path.join(folder, f"{name}-{theme}.png"), "wb") as file:
                        file.write(picture)
                    print(f"{name}-{theme}.png: {len(picture)} bytes")
        finally:
            browser.stop()
    finally:
        dashboard.stop()


if __name__ == "__main__":
    main()
