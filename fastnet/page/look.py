"""The look of the page: Streamlit's theme, and what its options do not reach."""

from fastnet.figures.style import INK, LINE, PAPER, SOFT

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"
CODE_FONT = "ui-monospace, 'SFMono-Regular', 'DejaVu Sans Mono', monospace"
ACCENT = {"light": "#2c66b8", "dark": "#3572cc"}  # white text on them has a contrast above 4.5
LINK = {"light": "#2258a5", "dark": "#8ab8f5"}
FIELD = {"light": "#f3f5f8", "dark": "#1b2029"}  # behind inputs, code and tables' heads


def theme_settings():
    """Options of Streamlit that set the colours of both themes, and fonts that every system has."""
    settings = {"theme.font": FONT, "theme.headingFont": FONT, "theme.codeFont": CODE_FONT}
    settings |= {"theme.baseRadius": "0.4rem", "theme.showWidgetBorder": "true"}
    for theme in ("light", "dark"):
        colours = {
            "primaryColor": ACCENT[theme],
            "linkColor": LINK[theme],
            "backgroundColor": PAPER[theme],
            "secondaryBackgroundColor": FIELD[theme],
            "textColor": INK[theme],
            "borderColor": LINE[theme],
        }
        settings |= {f"theme.{theme}.{name}": value for name, value in colours.items()}
    return settings


def css(theme):
    """The page's style sheet in one theme.

    Streamlit's header lies over the navigation, so it lets clicks through. Its own sign of work has
    a Stop button, which would stand beside that of the run.
    """
    return f"""<style>
:root {{ --ink: {INK[theme]}; --soft: {SOFT[theme]}; --line: {LINE[theme]};
  --accent: {LINK[theme]}; --field: {FIELD[theme]}; }}
{RULES}
</style>"""


RULES = """
[data-testid="stHeader"] { background: transparent; height: 3rem; pointer-events: none; }
[data-testid="stHeader"] * { pointer-events: none; }
[data-testid="stHeader"] button, [data-testid="stHeader"] button * { pointer-events: auto; }
[data-testid="stStatusWidget"] { display: none; }
[data-stale="true"] { opacity: 1 !important; }
[data-testid="stMainBlockContainer"] { max-width: 74rem; padding: 0.4rem 1.25rem 4rem; }
.st-key-nav { border-bottom: 1px solid var(--line); padding: 0 3rem 0.25rem 0;
  gap: 0.25rem 1.4rem; }
.st-key-nav button { padding: 0.3rem 0; border-radius: 0; min-height: 2.2rem; }
.st-key-nav [class*="st-key-view-"] button[kind="primary"] { background: none; border: none;
  border-bottom: 2px solid var(--accent); color: var(--ink); font-weight: 600; }
.brand { color: var(--ink); font-weight: 700; font-size: 1.05rem; letter-spacing: -0.02em;
  padding-right: 0.6rem; }
[data-testid="stSliderThumbValue"] p { color: var(--accent); }
button[data-variant="pills"][aria-pressed="true"] p { color: var(--ink); font-weight: 600; }
h1, h2, h3 { overflow-wrap: anywhere; }
[data-testid="stHeading"] h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.02em;
  padding: 0.2rem 0 0.4rem; }
[data-testid="stHeading"] h2 { font-size: 1.3rem; padding: 0.8rem 0 0.2rem; }
[data-testid="stHeading"] h3 { font-size: 1.05rem; padding: 0.5rem 0 0.1rem; }
[data-testid="stCaptionContainer"] { color: var(--soft); opacity: 1; }
[data-testid="stCaptionContainer"] p { color: var(--soft); }
[data-testid="stMetricValue"] { font-size: 1.4rem; }
[data-testid="stTab"][aria-selected="true"], [data-testid="stTab"][aria-selected="true"] p {
  color: var(--accent); }
.st-key-numbers { gap: 0.4rem 2rem; }
[data-testid="stCode"] .token { color: var(--ink) !important; }
.vega-embed { display: block !important; overflow-x: auto; }
.vega-embed .vega-bindings { width: 100%; }
table.plain { border-collapse: collapse; width: 100%; font-size: 0.92rem;
  font-variant-numeric: tabular-nums; }
table.plain caption { text-align: left; color: var(--soft); padding-bottom: 0.3rem; }
table.plain th, table.plain td { text-align: left; padding: 0.32rem 0.7rem; border: 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
table.plain th { color: var(--soft); font-weight: 500; }
table.plain th.number, table.plain td.number { text-align: right; }
table.plain th:first-child, table.plain td:first-child { text-align: left; padding-left: 0; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: 0.8rem; padding-right: 0.8rem; }
  [data-testid="stHeading"] h1 { font-size: 1.5rem; }
  table.plain thead { position: absolute; clip-path: inset(50%); }
  table.plain tr { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.4rem;
    padding: 0.4rem 0; border-bottom: 1px solid var(--line); }
  table.plain td, table.plain td.number, table.plain td:first-child { display: flex;
    justify-content: space-between; gap: 0.6rem; border: 0; padding: 0.1rem 0; }
  table.plain td:first-child { grid-column: 1 / -1; justify-content: flex-start;
    font-weight: 600; }
  table.plain td::before { content: attr(data-label); color: var(--soft); text-align: left; }
}
"""
