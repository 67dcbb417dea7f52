"""The --help texts of the commands, with examples; tests run those of train and sweep."""

TRAIN_EXAMPLES = """\b
Find one network that reaches the target loss, and save its weights.

\b
Examples:
  fastnet train --task 1
  fastnet train --task 1 --n1 6 --seeds 10 --learning-rate 0.4
  fastnet train --task 1 --function humps --n1 8:24:4 --max-epochs 20000
  fastnet train --task 2 --out runs/digits --json
  fastnet train --data houses.csv --target price --test-fraction 0.2
"""
SWEEP_EXAMPLES = """\b
Train every combination of settings; say how small N1 can be.

\b
Examples:
  fastnet sweep --task 1
  fastnet sweep --task 1 --n1 1:20 --seeds 50 --target-loss 1e-3
  fastnet sweep --task 1 --n1 4,8 --learning-rate 0.1..1@5 --clip-norm 1,none
  fastnet sweep --task 2 --n1 8,16,32 --dry-run
  fastnet sweep --data flowers.csv --target species --n1 2,4,8
"""
SMALLEST_EXAMPLES = """\b
Decide the smallest N1 that reaches the target, with as many seeds as needed.

\b
Examples:
  fastnet smallest --task 1
  fastnet smallest --task 1 --function humps --time-limit 60
  fastnet smallest --task 1 --success-rate 0.5 --confidence 0.99
  fastnet smallest --data houses.csv --target price --target-rmse 3e4
"""
INSPECT_EXAMPLES = """\b
Look at a table before training: what is in it, what is wrong.

\b
Training refuses a table with problems. Remarks say what may spoil the result.

\b
Examples:
  fastnet inspect houses.csv
  fastnet inspect houses.csv --target price
  fastnet inspect visits.csv --target cost --group patient --json
"""
PREDICT_EXAMPLES = """\b
Predict the targets of a table; columns are matched by name, in any order.

\b
Examples:
  fastnet predict runs/houses-20260101-120000 --data new.csv -o prices.csv
  fastnet predict runs/flowers/model.npz --data new.parquet --proba
  fastnet predict runs/houses --data - --keep id --format json-lines < new.csv
  fastnet predict houses --data new.csv --members greedy:10 --interval 0.9
"""
EVALUATE_EXAMPLES = """\b
Say how good the predictions for a table with known targets are.

\b
Without --data it takes the run's own training, validation and test rows.

\b
Examples:
  fastnet evaluate runs/houses-20260101-120000 --data test.csv
  fastnet evaluate runs/flowers/model.npz --data test.csv --json
  fastnet evaluate runs/houses --members top:10 --interval 0.9
"""
EXPLAIN_EXAMPLES = """\b
Say which columns a network looks at, and how predictions depend on them.

\b
Examples:
  fastnet explain runs/houses-20260101-120000
  fastnet explain runs/houses-20260101-120000 --data sold.csv -o houses.html
  fastnet explain runs/flowers/model.npz --data test.csv --json
"""
EXPORT_EXAMPLES = """\b
Write a trained network for another program, with its scaling and labels.

\b
npy    a folder of W1.npy b1.npy W2.npy b2.npy and model.json
onnx   an ONNX graph
c      one C99 header, without dependencies or allocation
numpy  one Python file that needs NumPy alone

\b
Examples:
  fastnet export runs/task1-20260101-120000 --to c -o sine.h
  fastnet export runs/digits --to onnx --member 3
  fastnet export runs/digits/model.npz --to numpy --json
  fastnet export runs/houses --to onnx --members greedy:10
"""

SHOW_EXAMPLES = """\b
Show a run: the answer, the best members, the files; or one member of it.

\b
Examples:
  fastnet show
  fastnet show task1-2026
  fastnet show runs/task1-20260101-120000 --n1 3
"""
EXAMPLE_EXAMPLES = """\b
Write an example table to try the commands on; without NAME list them.

\b
Examples:
  fastnet example
  fastnet example houses
  fastnet example flowers -o tables
"""
BENCH_EXAMPLES = """\b
Measure the speed beside the NumPy reference and other libraries.

\b
Examples:
  fastnet bench
  fastnet bench --workload tiny --peers numpy-reference,sklearn
  fastnet bench --workload minibatch --full --out mini.json --chart mini.svg
  fastnet bench --out bench/results
"""
PLOT_EXAMPLES = """\b
Draw a figure of a run as PNG, SVG or HTML, or --all; else list them.

\b
Examples:
  fastnet plot runs/task1-20260101-120000
  fastnet plot runs/task1-20260101-120000 --all
  fastnet plot runs/task1-20260101-120000 --figure loss-curves
  fastnet plot task1-2026 --figure fit -o fit.html --theme dark
"""
REPORT_EXAMPLES = """\b
Write a run's report: one HTML file with answer, tables and figures.

\b
Examples:
  fastnet report runs/task1-20260101-120000
  fastnet report runs/task1-20260101-120000 -o lesson.html --derivation
"""
EPILOG = "Defaults are in brackets; the tasks have some of their own, see docs/options.md."
