"""The page's playback of a training, as a component of Streamlit: drawn by figures/playback.js."""

import streamlit as st

from fastnet.figures import playback
from fastnet.page.parts import theme

HTML = '<div class="fastnet-playback"></div>'
# A rerun of the page with the same data leaves the film where it is, playing or not.
MOUNT = """
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".fastnet-playback");
  root.dataset.theme = data.theme;
  const shown = JSON.stringify(data.shown);
  if (root.shown === shown) return root.player.draw();
  root.shown = shown;
  fastnetPlayback(root, data.shown);
}
"""


def playback_view(result, key="playback"):
    """Play a run's training back; nothing where there is no film of it.

    Parameters
    ----------
    result : Result
        Of a finished run, or of a checkpoint: newer data take the place of older ones.
    key : str
        Of the component, one for each place in the page.
    """
    if playback.obstacle(result) is not None:
        return
    component = st.components.v2.component(
        "fastnet.playback", html=HTML, js=playback.script() + MOUNT
    )
    component(data={"shown": playback.playback_data(result), "theme": theme()}, key=key)
