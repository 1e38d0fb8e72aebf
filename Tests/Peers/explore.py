"""Opens the page of `make explorer` in headless Chromium as a reader would: from the file system, by keyboard alone.

    make explorer
    pip install selenium; apt-get install chromium chromium-driver
    python Tests/Peers/explore.py build/explorer.html --shots build/explorer

Fails where the console has an error, where anything is requested, where a cell cannot be reached by the arrows, where
what is shown is not what the values in the page say, where the address does not bring the same view back, or where the
first map is drawn later than a second after the page was opened.
"""

import argparse
import json
import pathlib
import sys
import time

from selenium import webdriver
from selenium.webdriver.common.keys import Keys


def opened(width=1340, height=1300):
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                     f"--window-size={width},{height}", "--autoplay-policy=no-user-gesture-required"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


def address(driver):
    return driver.execute_script("return Object.fromEntries(address())")


def facts(driver):
    return driver.execute_script("""return Object.fromEntries([...document.querySelectorAll('#facts tr')].map(
        row => [row.cells[0].textContent, row.cells[1].textContent]))""")


def show(driver, said):
    """A view by its address: what the address then is, the facts, and how many cells are drawn."""
    driver.execute_script("readAddress('#' + new URLSearchParams(arguments[0])); draw()", said)
    return (address(driver), facts(driver),
            driver.execute_script("return document.querySelectorAll('#exact rect.cell').length"))


def says(text, value):
    """Whether a text begins with a value as the page writes it, whichever way a half is rounded."""
    if value is None:
        return text.startswith("—")
    try:
        return abs(float(text.split()[0].rstrip(";").replace("−", "-")) - value) < 0.00051
    except ValueError:
        return False


def press(driver, *keys, into="exact"):
    driver.execute_script("document.getElementById(arguments[0]).focus()", into)
    for key in keys:
        driver.switch_to.active_element.send_keys(key)


def walk(driver, m, faults):
    """Every cell of the map that is shown, by arrows, in rows to and fro."""
    rows, columns = m["rows"], m["columns"]
    press(driver, Keys.PAGE_DOWN, Keys.HOME)
    seen = set()
    for i in range(len(rows)):
        for j in range(len(columns)):
            seen.add(address(driver)["cell"])
            if j + 1 < len(columns):
                press(driver, Keys.ARROW_RIGHT if i % 2 == 0 else Keys.ARROW_LEFT)
        press(driver, Keys.ARROW_UP)
    wanted = {f"{row}@{column['name']}" for row in rows for column in columns}
    if seen != wanted:
        faults.append(f"by arrows {len(seen & wanted)} of {len(wanted)} cells are reached")
    return len(seen)


def compare(shown, said, m, pair, direction, faults):
    """What stands beside the chosen cell against the values of the page."""
    site, window = shown["cell"].split("@")
    row = m["rows"].index(site)
    column = [c["name"] for c in m["columns"]].index(window)
    own, mean = pair["directions"][direction], m["directions"][direction]
    values = {"effect in this pair": own["effect"], f"search ({m['estimate']})": own["search"],
              f"effect over {len(m['pairs'])} pairs": mean["effect"], m["control"]: own["control"]}
    for name, grid in values.items():
        if not says(said.get(name, ""), grid[row][column]):
            faults.append(f"{pair['id']} {site}@{window}: {name} is {said.get(name)}, of {grid[row][column]}")
    text = own["said"][row][column]
    if text is not None and said["patched here, it says"] != f"“{pair['texts'][text]}”":
        faults.append(f"{pair['id']} {site}@{window}: it does not say {pair['texts'][text]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", nargs="?", default="build/explorer.html")
    parser.add_argument("--shots", help="a folder for screenshots, in colour and in grey")
    asked = parser.parse_args()
    path = pathlib.Path(asked.page).resolve()
    faults = []
    driver = opened()
    driver.get(path.as_uri())
    data = json.loads(driver.execute_script("return document.getElementById('data').textContent"))
    drawn = driver.execute_script("return window.drawnAfter")
    if drawn is None or drawn > 1000:
        faults.append(f"the first map was drawn after {drawn} ms")

    # The first map, cell by cell; of the others the cell that is chosen at first, of every pair both ways.
    m = next(m for m in data["maps"] if m["model"] == address(driver)["model"] and m["task"] == address(driver)["task"])
    cells = walk(driver, m, faults)
    views = 0
    for m in data["maps"]:
        for pair in m["pairs"]:
            for direction in m["directions"]:
                said = {"model": m["model"], "task": m["task"], "pair": pair["id"], "direction": direction}
                shown, found, drawn_cells = show(driver, said)
                if any(shown[key] != value for key, value in said.items()):
                    faults.append(f"asked for {said}, shown {shown}")
                held = sum(v is not None for line in pair["directions"][direction]["effect"] for v in line)
                if drawn_cells != held:
                    faults.append(f"{said}: {drawn_cells} cells are drawn of {held}")
                compare(shown, found, m, pair, direction, faults)
                views += 1

    # An address brings its view back, in another window as well.
    press(driver, Keys.HOME, Keys.ARROW_UP, "n", "d")
    before = (address(driver), facts(driver))
    time.sleep(0.5)
    other = opened()
    other.get(driver.current_url)
    if (address(other), facts(other)) != before:
        faults.append("the address does not bring the same view back")
    other.quit()

    # Sound, by keyboard: in a window of sound everything plays.
    first = data["maps"][0]
    show(driver, {"model": first["model"], "task": first["task"], "pair": first["pairs"][0]["id"]})
    for key, name in [("b", "base"), ("s", "source"), ("w", "window"), ("c", "context")]:
        press(driver, key, into="search")
        if driver.execute_script("return window.lastPlayed") != name:
            faults.append(f"the key {key} does not play the {name}")

    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    faults += [f"console: {message}" for message in errors]
    for entry in driver.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        if event["method"] == "Network.requestWillBeSent":
            url = event["params"]["request"]["url"]
            if not url.startswith((path.as_uri(), "data:", "about:")):
                faults.append(f"requests {url}")

    if asked.shots:
        folder = pathlib.Path(asked.shots)
        folder.mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(str(folder / "pair.png"))
        driver.execute_script("change('pair', 'all'); change('numbers', true)")
        driver.save_screenshot(str(folder / "all-with-values.png"))
        driver.execute_script("document.documentElement.style.filter = 'grayscale(1)'; change('numbers', false)")
        driver.save_screenshot(str(folder / "all-in-grey.png"))
    driver.quit()
    print(f"{path.stat().st_size / 1e6:.1f} MB, {len(data['maps'])} maps, first drawn after {drawn:.0f} ms; "
          f"{cells} cells by arrows, {views} views compared")
    for fault in faults[:20]:
        print("FAULT:", fault)
    print("passed" if not faults else f"{len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
