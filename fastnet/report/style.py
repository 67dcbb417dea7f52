"""The look of the report: one column of text, figures beside each other, narrow screens too."""

from fastnet.figures.style import INK, LINE, PAPER, SOFT


def variables(theme):
    """The colours of a theme as CSS variables; figures in theme css use them."""
    names = {"ink": INK, "soft": SOFT, "line": LINE, "paper": PAPER}
    return " ".join(f"--{name}: {colours[theme]};" for name, colours in names.items())


STYLE = f"""
:root {{ color-scheme: light dark; {variables("light")} }}
@media (prefers-color-scheme: dark) {{ :root {{ {variables("dark")} }} }}
@media print {{ :root {{ {variables("light")} }} details, figure {{ break-inside: avoid; }} }}
* {{ box-sizing: border-box; }}
body {{ max-width: 76rem; margin: 2rem auto; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; max-width: 40rem; margin: .3rem 0; }}
h2 {{ margin-top: 2.5rem; border-bottom: 1px solid var(--line); }}
h3 {{ font-size: 1rem; line-height: 1.3; margin: 0; }}
p, li, nav {{ max-width: 46rem; }}
a {{ color: inherit; }}
nav a {{ margin-right: 1rem; white-space: nowrap; }}
.answer {{ font-size: 1.15rem; }}
.soft, figcaption {{ color: var(--soft); }}
.figures {{ display: grid; gap: 2rem; grid-auto-flow: dense;
  grid-template-columns: repeat(auto-fill, minmax(min(32rem, 100%), 1fr)); }}
figure {{ margin: 0; min-width: 0; }}
figure.large {{ grid-column: 1 / -1; }}
figure .vega-embed {{ width: 100%; }}
figure .vega-embed.has-actions {{ padding-right: 0; }}
figure svg.marks {{ max-width: 100%; height: auto; }}
.vega-embed:not(:hover, :focus-within) summary {{ opacity: 0; }}
figure p {{ margin: .2rem 0; }}
figure p, figcaption {{ font-size: .85rem; }}
.vega-embed .vega-bind {{ color: var(--soft); }}
/* A table that is wider than the page scrolls; a shadow at its edge says so. */
.wide {{ overflow-x: auto; background: linear-gradient(to right, var(--paper) 1rem, transparent),
  linear-gradient(to left, var(--paper) 1rem, transparent) 100% 0,
  linear-gradient(to right, var(--line), transparent),
  linear-gradient(to left, var(--line), transparent) 100% 0;
  background-repeat: no-repeat; background-size: 2rem 100%, 2rem 100%, 1rem 100%, 1rem 100%;
  background-attachment: local, local, scroll, scroll; }}
table {{ border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .15rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }}
th {{ color: var(--soft); font-weight: normal; vertical-align: bottom; }}
td {{ white-space: nowrap; }}
table.left td, table.left th {{ text-align: left; white-space: normal; overflow-wrap: anywhere; }}
table.left td:first-child {{ vertical-align: top; min-width: 7rem; }}
@media (max-width: 40rem) {{ th, td {{ padding: .15rem .25rem; }} table {{ font-size: .72rem; }} }}
pre {{ background: color-mix(in srgb, var(--line) 45%, transparent); padding: .7rem;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }}
math[display=block] {{ overflow-x: auto; }}
"""
