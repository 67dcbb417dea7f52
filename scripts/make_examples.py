"""Write the example tables of fastnet/data/datasets: houses, flowers and sensor.

houses and sensor are made up, with these seeds; flowers are Fisher's irises (1936), from
scikit-learn's copy.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_iris

FOLDER = Path(__file__).resolve().parents[1] / "fastnet" / "data" / "datasets"
TOWNS = {"Bonn": 1.1, "Graz": 0.9, "Kiel": 0.8, "Ulm": 1.0}  # and what they do to the price


def houses(rng, rows):
    """Made-up houses with their prices, which are known to 7 %."""
    size, age = rng.uniform(40, 220, rows).round(), rng.integers(0, 90, rows)
    rooms = np.clip((size / 28 + rng.normal(0, 0.8, rows)).round(), 1, 8).astype(int)
    town, garden = rng.choice([*TOWNS], rows), rng.choice(["no", "yes"], rows)
    worth = 2400 * size * (1 + 0.4 * np.exp(-age / 15)) * (1 + 0.08 * (garden == "yes"))
    worth *= np.vectorize(TOWNS.get)(town) * rng.normal(1, 0.07, rows)
    columns = {"size": size.astype(int), "rooms": rooms, "age": age, "town": town, "garden": garden}
    return pd.DataFrame({**columns, "price": (worth / 1000).round().astype(int) * 1000})


def sensor(rng, rows):
    """A made-up gas sensor: voltage, temperature, and the parts per million they stand for."""
    ppm, temperature = rng.uniform(0, 400, rows), rng.uniform(-10, 45, rows)
    voltage = 2.5 * np.tanh(ppm / 220) * (1 - 0.004 * (temperature - 20)) + 0.3
    noisy = voltage + rng.normal(0, 0.002, rows)
    columns = {"voltage": noisy.round(4), "temperature": temperature.round(1)}
    return pd.DataFrame({**columns, "ppm": ppm.round(1)})


def flowers():
    """Fisher's irises."""
    found = load_iris(as_frame=True)
    table = found.frame.drop(columns="target")
    table.columns = [name.removesuffix(" (cm)").replace(" ", "_") for name in table.columns]
    return table.assign(species=found.target_names[found.target])


def main():
    sold, offered = houses(np.random.default_rng(1), 600), houses(np.random.default_rng(2), 12)
    offered.insert(0, "address", [f"{number} Mill Lane" for number in range(1, 24, 2)])
    tables = {"houses": sold, "houses-new": offered.drop(columns="price")}
    tables |= {"flowers": flowers(), "sensor": sensor(np.random.default_rng(3), 300)}
    for name, table in tables.items():
        path = FOLDER / f"{name}.csv"
        table.to_csv(path, index=False, lineterminator="\n")
        print(f"{path.name}: {len(table)} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
